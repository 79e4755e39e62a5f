# shellcheck shell=bash
# Paths and ports: the checkout, its data, the tools that all checkouts share.
# A port comes from the environment, else from .data/ports (lines of NAME=NUMBER), else from this file.

# Some cron and CI environments have no HOME.
: "${HOME:=$(getent passwd "$(id -u)" | cut -d: -f6)}"
export HOME

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
DATA_HOME=${USHER_DATA:-$ROOT/.data}
TOOLS=${USHER_TOOLS:-$HOME/.cache/usher-tools}
LOGS=$DATA_HOME/logs

port_setting() {
  local name=$1 default=$2 value=${!1:-}
  if [[ -z $value && -f $DATA_HOME/ports ]]; then
    value=$(sed -n "s/^[[:space:]]*${name}[[:space:]]*=[[:space:]]*\([^#[:space:]]*\).*/\1/p" "$DATA_HOME/ports" | tail -n 1)
  fi
  value=${value:-$default}
  if [[ ! $value =~ ^[1-9][0-9]{0,4}$ ]] || ((value > 65535)); then
    die "$name is \"$value\": a port is a number from 1 to 65535." "Set it in the environment or in $DATA_HOME/ports."
  fi
  printf -v "$name" '%s' "$value"
}

read_ports() {
  port_setting REDIS_PORT 16379
  port_setting CACHE_PORT 16380
  port_setting POSTGRES_PORT 15432
  port_setting KAFKA_PORT 19092
  port_setting KAFKA_CONTROLLER_PORT "$((KAFKA_PORT + 1))"
  port_setting SQS_PORT 19324
  local ports=("$REDIS_PORT" "$CACHE_PORT" "$POSTGRES_PORT" "$KAFKA_PORT" "$KAFKA_CONTROLLER_PORT" "$SQS_PORT") twice
  twice=$(printf '%s\n' "${ports[@]}" | sort | uniq -d | head -n 1)
  [[ -z $twice ]] || die "Two servers are set to port $twice." \
    "REDIS_PORT, CACHE_PORT, POSTGRES_PORT, KAFKA_PORT, KAFKA_CONTROLLER_PORT and SQS_PORT must differ."
}
