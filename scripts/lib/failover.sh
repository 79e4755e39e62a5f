# shellcheck shell=bash
# The set `failover`: a Redis gate of one primary and two replicas, three sentinels that replace the primary, and a
# PostgreSQL with a synchronous standby. At first gate1 and database1 are the primaries. What replaces a primary of
# PostgreSQL is not among these servers: `promote` makes the standby the primary, and its caller directs clients to the other address.

FAILOVER=(gate1 gate2 gate3 sentinel1 sentinel2 sentinel3 database1 database2)
# The name of the gate's servers for sentinels and their clients.
GATE_NAME=gate
# A primary that is silent for this long, in ms, is replaced.
GATE_DOWN_AFTER=1000

# A server runs the program redis or postgres. What the verbs do depends on the server, on its kind (the name without
# its number), or only on the program.
for server in "${FAILOVER[@]}"; do
  kind=${server%[0-9]} program=redis
  [[ $kind != database ]] || program=postgres
  for verb in packages version; do eval "${server}_$verb() { ${program}_$verb; }"; done
  for verb in address check_ports; do eval "${server}_$verb() { server_$verb $server; }"; done
  for verb in data end forget; do eval "${server}_$verb() { ${program}_server_$verb $server; }"; done
  for verb in launch answers; do eval "${server}_$verb() { ${kind}_$verb $server; }"; done
done

server_address() { printf '127.0.0.1:%s' "$(port_of "$1")"; }
server_check_ports() { require_free "$(port_of "$1")" "${1^^}_PORT"; }
redis_server_data() { printf '%s/%s' "$DATA_HOME" "$1"; }
redis_server_end() { end_process "$1" TERM 20; }
redis_server_forget() { rm -rf -- "$(redis_server_data "$1")"; }
postgres_server_data() { postgres_data "$1"; }
postgres_server_end() { end_process "$1" INT 30; }
postgres_server_forget() { postgres_forget "$1"; }

# A write is refused unless a replica is connected: a primary that has lost its replicas, and may have been
# replaced, takes no orders.
gate_launch() {
  local options=(--min-replicas-to-write 1 --min-replicas-max-lag 2 --repl-diskless-sync-delay 0 --maxmemory-policy noeviction)
  [[ $1 == gate1 ]] || options+=(--replicaof 127.0.0.1 "$(port_of gate1)")
  launch_redis "$1" "$(port_of "$1")" "$(redis_server_data "$1")" "${options[@]}"
}

gate_answers() { # a replica answers once it has the data of its primary
  local role
  role=$(redis-cli -p "$(port_of "$1")" info replication 2>/dev/null) || return 1
  [[ $role == *role:master* || $role == *master_link_status:up* ]]
}

sentinel_launch() {
  local data
  data=$(redis_server_data "$1")
  await_up gate1 30 gate_answers gate1 || die "gate1 did not come up; it is what $1 watches."
  mkdir -p "$data"
  cat >"$data/sentinel.conf" <<SETTINGS
bind 127.0.0.1
port $(port_of "$1")
dir "$data"
sentinel monitor $GATE_NAME 127.0.0.1 $(port_of gate1) 2
sentinel down-after-milliseconds $GATE_NAME $GATE_DOWN_AFTER
sentinel failover-timeout $GATE_NAME 10000
sentinel parallel-syncs $GATE_NAME 2
SETTINGS
  spawn "$1" redis-server "$data/sentinel.conf" --sentinel
}

sentinel_answers() { # it can replace the primary once it has found the replicas and the other sentinels
  local found
  found=$(redis-cli -p "$(port_of "$1")" sentinel master "$GATE_NAME" 2>/dev/null | paste -sd' ') || return 1
  [[ $found == *' num-slaves 2 num-other-sentinels 2 '* ]]
}

database_launch() {
  local data port
  data=$(postgres_data "$1") port=$(port_of "$1")
  if [[ $1 == database1 ]]; then
    # A commit waits for the standby. The standby itself has no such setting: promoted, it commits alone.
    postgres_start "$1" "$data" "$port" -c synchronous_standby_names='*'
  else
    [[ -f $data/usher-ready ]] || database_copy "$data"
    postgres_start "$1" "$data" "$port"
  fi
}

database_copy() {
  local data=$1 bin
  bin=$(postgres_bin)
  await_up database1 60 database_answers database1 || die "database1 did not come up; database2 is its copy."
  postgres_claim "$data"
  find "$data" -mindepth 1 -delete
  working "Copying the database for the standby" "$LOGS/basebackup.log" as_postgres env PGPASSWORD=standby \
    "$bin/pg_basebackup" -h 127.0.0.1 -p "$(port_of database1)" -U standby -D "$data" -X stream -R --checkpoint=fast --no-sync ||
    die "pg_basebackup failed."
}

database_answers() { postgres_accepts "$(port_of "$1")"; }

# failover_kill NAME...: kills a server with its children, as a power failure does.
failover_kill() {
  local name pid children
  for name in "$@"; do
    pid=$(pid_of "$name") || die "$name is not running."
    read -ra children < <(cat "/proc/$pid"/task/*/children 2>/dev/null) || true
    kill -s KILL "$pid" "${children[@]}" 2>/dev/null || true
    done_line "$name killed"
  done
}

# failover_promote NAME...: makes a standby the primary; returns once it accepts writes.
failover_promote() {
  local name
  for name in "$@"; do
    [[ $name == database* ]] || die "Only databases are promoted by this script; sentinels promote the gate's."
    as_postgres "$(postgres_bin)/pg_ctl" promote -D "$(postgres_data "$name")" -w -t 30 >/dev/null ||
      die "$name was not promoted. See $LOGS/$name.log"
    done_line "$name promoted"
  done
}

# A client of the gate finds its primary through the sentinels. A client of the database gets the address of the
# first primary; the demo leads it to the second.
failover_settings() {
  local name sentinels=''
  for name in sentinel1 sentinel2 sentinel3; do sentinels+=,127.0.0.1:$(port_of "$name"); done
  printf 'export REDIS_URL=redis://%s?sentinel=%s\n' "${sentinels#,}" "$GATE_NAME"
  printf 'export DATABASE_URL=postgres://usher:usher@127.0.0.1:%s/usher\n' "$(port_of database1)"
  printf 'export DATABASE_STANDBY_PORT=%s\n' "$(port_of database2)"
}
