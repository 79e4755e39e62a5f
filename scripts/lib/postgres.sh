# shellcheck shell=bash
# PostgreSQL. It refuses to run as root: then it runs as the package's user `postgres`, with its data in
# /var/tmp if that user cannot read the checkout. The only role that can log in, usher, owns the only database
# and is no superuser; administration uses single-user mode, so that no other login exists.

postgres_bin() { # the folder of the server's programs: the major version of the data, else the newest
  local data dir
  data=$(postgres_data)
  if [[ -r $data/PG_VERSION ]]; then
    dir=/usr/lib/postgresql/$(<"$data/PG_VERSION")/bin
    [[ -x $dir/postgres ]] && { printf '%s' "$dir"; return; }
  fi
  dir=$(find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
  [[ -n $dir ]] || dir=$(command -v initdb || true)
  [[ -z $dir ]] || dirname "$(readlink -f "$dir")"
}

postgres_packages() { [[ -n $(postgres_bin) ]] || printf 'postgresql\n'; }
postgres_address() { printf '127.0.0.1:%s' "$POSTGRES_PORT"; }
postgres_version() { "$(postgres_bin)/postgres" --version 2>/dev/null | awk '{ print $3 }'; }
postgres_check_ports() { require_free "$POSTGRES_PORT" POSTGRES_PORT; }

as_postgres() { # runs a command as the user that owns the data
  if ((EUID == 0)); then
    (cd / && setpriv --reuid=postgres --regid=postgres --init-groups -- "$@")
  else
    "$@"
  fi
}

postgres_data() { # postgres_data [NAME]: the data folder of that server
  local name=${1:-postgres}
  if ((EUID == 0)) && ! postgres_can_reach "$DATA_HOME"; then
    printf '/var/tmp/usher-%s-%s' "$name" "$(printf '%s' "$DATA_HOME" | cksum | cut -d' ' -f1)"
  else
    printf '%s/%s' "$DATA_HOME" "$name"
  fi
}

postgres_can_reach() {
  local folder=$1
  getent passwd postgres >/dev/null || return 0 # not installed yet: checked again after the installation
  until [[ -e $folder ]]; do folder=$(dirname "$folder"); done
  as_postgres test -x "$folder"
}

postgres_launch() { postgres_start postgres "$(postgres_data)" "$POSTGRES_PORT"; }

# postgres_start NAME FOLDER PORT OPTIONS...: starts the server on its data, which are created if missing.
postgres_start() {
  local name=$1 data=$2 port=$3 bin command
  shift 3
  bin=$(postgres_bin)
  postgres_claim "$data"
  if [[ -r $data/PG_VERSION && $bin != *"/$(<"$data/PG_VERSION")/"* && $bin == /usr/lib/postgresql/* ]]; then
    die "The data in $data are PostgreSQL $(<"$data/PG_VERSION")'s, which is not installed any more." \
      "Delete the data and start again: scripts/servers wipe postgres"
  fi
  [[ -f $data/usher-ready ]] || postgres_create "$data" "$bin"
  postgres_await_orphans "$data"
  postgres_take_certificate "$data"
  command=("$bin/postgres" -D "$data" -p "$port" "$@")
  ! uses_tls || command+=(-c ssl=on -c ssl_cert_file=server.pem -c ssl_key_file=server.key)
  ((EUID != 0)) || command=(setpriv --reuid=postgres --regid=postgres --init-groups -- "${command[@]}")
  spawn "$name" "${command[@]}"
}

# After a kill -9 the sessions still hold the shared memory segment that postmaster.pid names; a new server
# refuses to start until the last of them has ended.
postgres_await_orphans() {
  local segment attached began=$SECONDS
  segment=$(as_postgres sed -n '7s/.* //p' "$1/postmaster.pid" 2>/dev/null) || return 0
  while ((SECONDS - began < 20)); do
    attached=$(awk -v id="${segment:-none}" '$2 == id { print $7 }' /proc/sysvipc/shm)
    ((${attached:-0} > 0)) || return 0
    sleep 0.1
  done
}

# A data folder of another user is not touched.
postgres_claim() {
  local data=$1 user
  user=$(as_postgres id -un)
  if [[ ! -e $data ]]; then
    mkdir -p "$(dirname "$data")"
    mkdir -m 700 "$data"
    ((EUID != 0)) || chown postgres: "$data"
  fi
  [[ $(stat -c %U "$data") == "$user" ]] || die "$data belongs to user $(stat -c %U "$data"), and PostgreSQL would run as $user." \
    "Start the servers as the same user as before, or remove that folder."
}

# Over TLS only, in the set `tls`.
postgres_access() {
  local kind='host   '
  ! uses_tls || kind=hostssl
  sed "s/^host   /$kind/" "$ROOT/scripts/lib/postgres/access.conf"
  [[ $SERVER_SET != failover ]] || printf 'host replication standby 127.0.0.1/32 scram-sha-256\n'
}

postgres_roles() {
  local password=${TLS_PASSWORD//\'/\'\'}
  if uses_tls; then
    printf "CREATE ROLE usher LOGIN PASSWORD '%s';\n\nCREATE DATABASE usher OWNER usher;\n\n" "$password"
  else
    cat "$ROOT/scripts/lib/postgres/create.sql"
  fi
  [[ $SERVER_SET != failover ]] || printf "CREATE ROLE standby REPLICATION LOGIN PASSWORD 'standby';\n\n"
}

# The server reads its key only if the key belongs to its user, so it has a copy.
postgres_take_certificate() {
  local data=$1 file
  uses_tls || return 0
  for file in server.pem server.key; do
    as_postgres tee "$data/$file" >/dev/null <"$(tls_files)/$file"
    as_postgres chmod 600 "$data/$file"
  done
}

postgres_create() {
  local data=$1 bin=$2
  # An interrupted first start left it: it holds no data yet.
  find "$data" -mindepth 1 -delete
  working "Creating the PostgreSQL database" "$LOGS/initdb.log" as_postgres "$bin/initdb" -D "$data" \
    --username=postgres --encoding=UTF8 --locale=C.UTF-8 --auth=reject || die "initdb failed."
  as_postgres tee -a "$data/postgresql.conf" >/dev/null <"$ROOT/scripts/lib/postgres/settings.conf"
  as_postgres tee "$data/pg_hba.conf" >/dev/null < <(postgres_access)
  as_postgres "$bin/postgres" --single -D "$data" -j postgres >>"$LOGS/initdb.log" 2>&1 < <(postgres_roles) || die "The database could not be created. See $LOGS/initdb.log"
  as_postgres touch "$data/usher-ready"
}

postgres_answers() { postgres_accepts "$POSTGRES_PORT"; }

postgres_accepts() { # postgres_accepts PORT
  local bin
  bin=$(postgres_bin)
  if [[ -n $bin ]]; then
    "$bin/pg_isready" -q -h 127.0.0.1 -p "$1" -U usher -d usher -t 2
  else # it runs elsewhere and no client is installed: an open port is all that can be checked
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
  fi
}

postgres_end() { end_process postgres INT 30; } # INT is a fast shutdown: it ends sessions and keeps every commit

postgres_forget() { # postgres_forget [NAME]
  local data
  data=$(postgres_data "$@")
  rm -rf -- "$data" 2>/dev/null || die "No permission to remove $data." "It belongs to another user: run the same as that user, or as root."
}
