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

# Two further sets of servers, chosen by USHER_SERVERS: tls and failover. Each has data, logs and ports of its own,
# in a folder of its name. Their ports come only from that folder, since a shell may hold those of the first set.
OTHER_SETS=(tls failover)
SERVER_SET=''
choose_server_set() {
  [[ " ${OTHER_SETS[*]} " == *" ${USHER_SERVERS:-} "* && -n ${USHER_SERVERS:-} ]] || return 0
  SERVER_SET=$USHER_SERVERS
  DATA_HOME=$DATA_HOME/$SERVER_SET
  LOGS=$DATA_HOME/logs
}
uses_tls() { [[ $SERVER_SET == tls ]]; }

port_setting() {
  local name=$1 default=$2 value=${!1:-}
  [[ -z $SERVER_SET ]] || value=''
  if [[ -z $value && -f $DATA_HOME/ports ]]; then
    value=$(sed -n "s/^[[:space:]]*${name}[[:space:]]*=[[:space:]]*\([^#[:space:]]*\).*/\1/p" "$DATA_HOME/ports" | tail -n 1)
  fi
  value=${value:-$default}
  if [[ ! $value =~ ^[1-9][0-9]{0,4}$ ]] || ((value > 65535)); then
    die "$name is \"$value\": a port is a number from 1 to 65535." "Set it in $DATA_HOME/ports or, for the servers without TLS, in the environment."
  fi
  printf -v "$name" '%s' "$value"
}

read_ports() {
  local base=0 ports=() twice name
  ! uses_tls || base=1000
  if [[ $SERVER_SET == failover ]]; then
    for name in "${ALL[@]}"; do
      port_setting "${name^^}_PORT" "$((18400 + ${#ports[@]}))"
      ports+=("$(port_of "$name")")
    done
  else
    port_setting REDIS_PORT "$((base + 16379))"
    port_setting CACHE_PORT "$((base + 16380))"
    port_setting POSTGRES_PORT "$((base + 15432))"
    port_setting KAFKA_PORT "$((base + 19092))"
    port_setting KAFKA_CONTROLLER_PORT "$((KAFKA_PORT + 1))"
    port_setting SQS_PORT 19324
    ports=("$REDIS_PORT" "$CACHE_PORT" "$POSTGRES_PORT" "$KAFKA_PORT" "$KAFKA_CONTROLLER_PORT" "$SQS_PORT")
  fi
  twice=$(printf '%s\n' "${ports[@]}" | sort | uniq -d | head -n 1)
  [[ -z $twice ]] || die "Two servers are set to port $twice." "The ports of these servers must differ: ${ALL[*]}, and KAFKA_CONTROLLER_PORT."
}

port_of() { # the port of a server of the set failover
  local name=${1^^}_PORT
  printf '%s' "${!name}"
}
