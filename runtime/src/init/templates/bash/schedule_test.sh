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
expect "the sample tick is handled" "$(<"$events/one.json")" null
if bash -euo pipefail handler.sh <<<'{}' >/dev/null 2>&1; then
  echo "failed: an event without a time succeeds" >&2
  exit 1
fi
echo "ok: an event without a time fails"
