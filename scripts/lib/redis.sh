# shellcheck shell=bash
# Two Redis servers. `redis` is the gate and never evicts. `cache` holds caches and streams: bodies have a time to live and
# may be evicted; version floors and streams have none and may not. After a kill each has lost at most the last second.

CACHE_MEMORY=256mb

redis_packages() { command -v redis-server >/dev/null || printf 'redis-server\n'; }
redis_address() { printf '127.0.0.1:%s' "$REDIS_PORT"; }
redis_data() { printf '%s/redis' "$DATA_HOME"; }
redis_version() { redis-server --version 2>/dev/null | sed -n 's/.* v=\([^ ]*\).*/\1/p'; }
redis_check_ports() { require_free "$REDIS_PORT" REDIS_PORT; }
redis_launch() { launch_redis redis "$REDIS_PORT" "$(redis_data)" --maxmemory-policy noeviction; }
redis_answers() { redis_pongs "$REDIS_PORT"; }
redis_end() { end_process redis TERM 20; }
redis_forget() { rm -rf -- "$(redis_data)"; }

cache_packages() { redis_packages; }
cache_address() { printf '127.0.0.1:%s' "$CACHE_PORT"; }
cache_data() { printf '%s/cache' "$DATA_HOME"; }
cache_version() { redis_version; }
cache_check_ports() { require_free "$CACHE_PORT" CACHE_PORT; }
cache_launch() { launch_redis cache "$CACHE_PORT" "$(cache_data)" --maxmemory "$CACHE_MEMORY" --maxmemory-policy volatile-lru; }
cache_answers() { redis_pongs "$CACHE_PORT"; }
cache_end() { end_process cache TERM 20; }
cache_forget() { rm -rf -- "$(cache_data)"; }

# launch_redis NAME PORT FOLDER OPTIONS...
launch_redis() {
  local name=$1 port=$2 data=$3
  shift 3
  mkdir -p "$data"
  set -- --bind 127.0.0.1 --port "$port" --dir "$data" --daemonize no \
    --appendonly yes --appendfsync everysec --save '' --tcp-keepalive 30 "$@"
  if uses_tls; then
    redis_tls_settings "$port" >"$data/redis.conf"
    set -- "$data/redis.conf" "$@" --port 0
  fi
  spawn "$name" redis-server "$@"
}

# No plain port; the default user is off, and the one user may not administer the server.
redis_tls_settings() {
  local tls
  tls=$(tls_files)
  cat <<SETTINGS
# Written by scripts/servers at every start: edit scripts/lib/redis.sh instead.
tls-port $1
tls-cert-file "$tls/server.pem"
tls-key-file "$tls/server.key"
tls-ca-cert-file "$tls/ca.pem"
tls-auth-clients no
user default off
user $TLS_USER on #$(printf '%s' "$TLS_PASSWORD" | sha256sum | cut -d' ' -f1) ~* &* +@all -@admin -@dangerous +info +role
SETTINGS
}

redis_pongs() { # redis_pongs PORT
  local reply=''
  if uses_tls; then
    [[ $(REDISCLI_AUTH=$TLS_PASSWORD timeout 5 redis-cli --tls --cacert "$(tls_files)/ca.pem" -p "$1" --user "$TLS_USER" ping 2>&1) == PONG ]]
    return
  fi
  { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
  printf 'PING\r\n' >&3
  read -r -t 2 reply <&3 || true
  exec 3>&-
  [[ $reply == +PONG* ]] # a server that is loading its data answers -LOADING
}
