# shellcheck shell=bash
# Processes and ports. A server is identified by its process id and its start time: a process that
# received the same id later is neither used nor stopped.

RUN=$DATA_HOME/run

started_at() { # clock ticks since boot; empty when there is no such process
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  stat=${stat##*) } # the process name may contain spaces and brackets
  # shellcheck disable=SC2086 # word splitting is intended
  set -- $stat
  [[ $1 == Z ]] || printf '%s' "${20}"
}

remember() { printf '%s %s\n' "$2" "$(started_at "$2")" >"$RUN/$1.pid"; }

# pid_of NAME: prints the process id if that server is running; clears a stale file.
pid_of() {
  local pid='' began=''
  [[ -f $RUN/$1.pid ]] || return 1
  read -r pid began <"$RUN/$1.pid" || true
  if [[ $pid =~ ^[0-9]+$ && -n $began && $(started_at "$pid") == "$began" ]]; then
    printf '%s' "$pid"
  else
    rm -f "$RUN/$1.pid"
    return 1
  fi
}

# spawn NAME COMMAND...: starts a server that outlives this script and its terminal.
spawn() {
  local name=$1
  shift
  mkdir -p "$RUN" "$LOGS"
  # The server must inherit neither the lock nor a pipe that a caller reads.
  (cd / && exec setsid "$@" >>"$LOGS/$name.log" 2>&1 </dev/null 9>&-) &
  remember "$name" "$!"
}

# await_up NAME SECONDS CHECK...: waits until CHECK succeeds, or the process is gone, or time is up.
await_up() {
  local name=$1 limit=$2 began=$SECONDS
  shift 2
  until "$@" >/dev/null 2>&1; do
    pid_of "$name" >/dev/null || return 1
    ((SECONDS - began < limit)) || return 1
    sleep 0.1
  done
}

# end_process NAME SIGNAL SECONDS: sends SIGNAL, waits, then kills.
end_process() {
  local name=$1 signal=$2 limit=$3 pid began=$SECONDS
  pid=$(pid_of "$name") || return 0
  kill -s "$signal" "$pid" 2>/dev/null || die "No permission to stop $name (process $pid)." \
    "It was started by another user: stop it as that user, or as root."
  while pid_of "$name" >/dev/null; do
    if ((SECONDS - began >= limit)); then
      warn "$name did not stop within $limit s: killing process $pid"
      kill -s KILL "$pid" 2>/dev/null || true
      limit=$((limit + 10))
    fi
    sleep 0.1
  done
  rm -f "$RUN/$name.pid"
}

# listener PORT: prints "PID NAME" of the process that listens there, "? user NAME" without permission, nothing if
# the port is free. Reads /proc, as ss and lsof are not on every machine.
listener() {
  local hex inode uid fd pid
  hex=$(printf ':%04X' "$1")
  read -r uid inode < <(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    awk -v p="$hex" '$4 == "0A" && substr($2, length($2) - 4) == p { print $8, $10; exit }') || return 0
  for fd in /proc/[0-9]*/fd/*; do
    if [[ $(readlink "$fd" 2>/dev/null) == "socket:[$inode]" ]]; then
      pid=${fd#/proc/}
      pid=${pid%%/*}
      printf '%s %s' "$pid" "$(cat "/proc/$pid/comm" 2>/dev/null)"
      return 0
    fi
  done
  printf '? a process of user %s' "$(getent passwd "$uid" | cut -d: -f1)"
}

# require_free PORT VARIABLE: ends the script if a process listens on PORT.
require_free() {
  local port=$1 variable=$2 owner pid who
  owner=$(listener "$port")
  [[ -n $owner ]] || return 0
  pid=${owner%% *} who=${owner#* }
  [[ $pid == '?' ]] || who="$who (process $pid)"
  die "Port $port is in use by $who." \
    "Stop it, or choose another port: $variable=$((port + 10000 > 65535 ? port - 10000 : port + 10000)) scripts/servers start" \
    "To keep the choice, write that setting as a line of $DATA_HOME/ports"
}
