# shellcheck shell=bash
# Output for a person: short lines, a mark for the result, a spinner only on a terminal.
# All of it goes to standard error: standard output carries only a command's result.

if [[ -t 2 && -z "${NO_COLOR:-}" && "${TERM:-dumb}" != dumb ]]; then
  bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' plain=$'\e[0m'
else
  bold='' dim='' red='' green='' yellow='' plain=''
fi

say() { printf '%s\n' "$*" >&2; }
title() { printf '%s%s%s\n' "$bold" "$*" "$plain" >&2; }
done_line() { printf '  %s%s%s %s\n' "$green" "ok" "$plain" "$*" >&2; }
note() { printf '     %s\n' "$*" >&2; }
warn() { printf '  %s%s%s  %s\n' "$yellow" "!" "$plain" "$*" >&2; }

# die MESSAGE [REMEDY...]: ends the script. Each REMEDY is a line that says what to do next.
die() {
  printf '%serror:%s %s\n' "$red" "$plain" "$1" >&2
  shift
  (($# == 0)) || printf '       %s\n' "$@" >&2
  exit 1
}

# Ctrl-C does not reach background processes: the trap ends them.
at_work=''
interrupted() {
  trap - INT TERM
  [[ -z $at_work ]] || end_tree "$at_work"
  printf '\n' >&2
  die "Interrupted. Run it again: it resumes where it stopped."
}
trap interrupted INT TERM

end_tree() {
  local child children
  read -ra children < <(cat "/proc/$1"/task/*/children 2>/dev/null) || true
  for child in "${children[@]}"; do end_tree "$child"; done
  kill -TERM "$1" 2>/dev/null || true
}

# working LABEL LOG COMMAND...: runs a command with its output in LOG and shows its progress.
# On failure it prints the end of LOG and returns the command's exit code.
working() {
  local label=$1 log=$2 began=$SECONDS pid code=0
  shift 2
  mkdir -p "$(dirname "$log")"
  [[ -t 2 && "${TERM:-dumb}" != dumb ]] || note "$label ..."
  "$@" >"$log" 2>&1 </dev/null &
  pid=$! at_work=$!
  watch_over "$pid" "$label"
  wait "$pid" || code=$?
  at_work=''
  if ((code == 0)); then
    done_line "$label ${dim}$((SECONDS - began)) s${plain}"
  else
    printf '  %sfailed%s %s (exit code %s)\n' "$red" "$plain" "$label" "$code" >&2
    show_end "$log"
  fi
  return "$code"
}

show_end() { # prints the last lines of a log that is not empty
  [[ -s $1 ]] || return 0
  printf '       the end of %s:\n' "$1" >&2
  tail -n 15 "$1" | sed 's/^/       | /' >&2
}

# watch_over PID LABEL [COMMAND...]: waits for a process. A spinner on a terminal; elsewhere one line every 30 seconds.
# COMMAND prints how far the process is; it gets the seconds since the start as its last argument.
watch_over() {
  local pid=$1 label=$2 began=$SECONDS printed=0 turn=0 marks=$'|/-\\' spent state
  shift 2
  while kill -0 "$pid" 2>/dev/null; do
    spent=$((SECONDS - began))
    if [[ -t 2 && "${TERM:-dumb}" != dumb ]]; then
      state=$( (($# == 0)) || "$@" "$spent")
      printf '\r\e[K  %s  %s %s%s s%s%s ' "${marks:turn++ % 4:1}" "$label" "$dim" "$spent" "$state" "$plain" >&2
      sleep 0.2
    else
      sleep 0.1
      ((spent < printed + 30)) || { printed=$spent; note "$label ... $spent s$( (($# == 0)) || "$@" "$spent")"; }
    fi
  done
  [[ ! -t 2 || "${TERM:-dumb}" == dumb ]] || printf '\r\e[K' >&2
}
