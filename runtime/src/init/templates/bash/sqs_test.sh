#!/usr/bin/env bash
# Gives the sample events to handler.sh and compares its responses.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
PATH=$PATH:$PWD/bin

# expect NAME EVENT RESPONSE
expect() {
  local response
  response=$(bash -euo pipefail handler.sh <<<"$2" 2>/dev/null)
  [[ $response == "$3" ]] || { echo "failed: $1: $response" >&2; exit 1; }
  echo "ok: $1"
}
events=../../events/%FOLDER%
expect "a good message is done" "$(<"$events/one.json")" '{"batchItemFailures":[]}'
expect "a bad message fails alone" "$(<"$events/one-bad.json")" '{"batchItemFailures":[{"itemIdentifier":"%BAD_ID%"}]}'
