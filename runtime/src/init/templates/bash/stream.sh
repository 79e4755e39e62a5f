# shellcheck shell=bash
# Greets each guest whom an entry of the stream names. An entry that cannot be read is reported alone. Standard input is the event,
# standard output the response, standard error the log.
messages=$(jq --compact-output '.Records[]')
failed=()
while IFS= read -r message; do
  if name=$(jq -er '.body | fromjson | .fields.name | strings' <<<"$message"); then
    echo "Hello, $name" >&2
  else
    failed+=("$(jq '{itemIdentifier: .messageId}' <<<"$message")")
  fi
done <<<"$messages"
printf '%s\n' "${failed[@]}" | jq --slurp --compact-output '{batchItemFailures: .}'
