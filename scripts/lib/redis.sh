# shellcheck shell=bash
# Redis: the gate. Nothing may be evicted, and what was written survives a kill, at most a second of it excepted.

redis_packages() { command -v redis-server >/dev/null || printf 'redis-server\n'; }
redis_address() { printf '127.0.0.1:%s' "$REDIS_PORT"; }
redis_data() { printf '%s/redis' "$DATA_HOME"; }
redis_version() { redis-server --version 2>/dev/null | sed -n 's/.* v=\([^ ]*\).*/\1/p'; }
redis_check_ports() { require_free "$REDIS_PORT" REDIS_PORT; }

redis_launch() {
  local data
  data=$(redis_data)
  mkdir -p "$data"
  spawn redis redis-server --bind 127.0.0.1 --port "$REDIS_PORT" --dir "$data" --daemonize no \
    --maxmemory-policy noeviction --appendonly yes --appendfsync everysec --save '' --tcp-keepalive 30
}

redis_answers() {
  local reply=''
  { exec 3<>"/dev/tcp/127.0.0.1/$REDIS_PORT"; } 2>/dev/null || return 1
  printf 'PING\r\n' >&3
  read -r -t 2 reply <&3 || true
  exec 3>&-
  [[ $reply == +PONG* ]] # not so while it still loads its data
}

redis_end() { end_process redis TERM 20; }
redis_forget() { rm -rf -- "$(redis_data)"; }
