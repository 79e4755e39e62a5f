# shellcheck shell=bash
# Answers GET /%FOLDER%?name=Ada. Standard input is the event, standard output the response, standard error the log.
event=$(cat)
name=$(jq -r '.queryStringParameters.name // "world"' <<<"$event")
echo "a greeting for $name" >&2
jq --null-input --compact-output --arg name "$name" '{
  statusCode: 200,
  headers: {"content-type": "application/json"},
  body: {message: "Hello, \($name)"} | tojson
}'
