# shellcheck shell=bash
# Greets each guest whom a record names. A record that cannot be read is reported; its partition resumes there. Standard
# input is the event, standard output the response, standard error the log.
records=$(jq --compact-output '.records | to_entries[] | .key as $partition | .value[] | . + {identifier: {partition: $partition, offset}}')
failed=()
stopped='|' # partitions with a failed record: what follows in them comes again
while IFS= read -r record; do
  partition=$(jq -r '.identifier.partition' <<<"$record")
  [[ $stopped != *"|$partition|"* ]] || continue
  if name=$(jq -er '.value | @base64d | fromjson | .name | strings' <<<"$record"); then
    echo "Hello, $name" >&2
  else
    stopped+="$partition|"
    failed+=("$(jq '{itemIdentifier: .identifier}' <<<"$record")")
  fi
done <<<"$records"
printf '%s\n' "${failed[@]}" | jq --slurp --compact-output '{batchItemFailures: .}'
