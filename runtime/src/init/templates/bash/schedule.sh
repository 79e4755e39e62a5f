# shellcheck shell=bash
# Runs when the schedule fires. Standard input is the event, standard output the response, standard error the log.
time=$(jq -er '.time | strings')
echo "Hello at $time" >&2
echo null
