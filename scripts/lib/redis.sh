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
  spawn "$name" redis-server --bind 127.0.0.1 --port "$port" --dir "$data" --daemonize no \
    --appendonly yes --appendfsync everysec --save '' --tcp-keepalive 30 "$@"
}

redis_pongs() { # redis_pongs PORT
  local reply=''
  { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
  printf 'PING\r\n' >&3
  read -r -t 2 reply <&3 || true
  exec 3>&-
  [[ $reply == +PONG* ]] # a server that is loading its data answers -LOADING
}
