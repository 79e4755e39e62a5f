# shellcheck shell=bash
# A local SQS: ElasticMQ. Queues and messages are on disk and survive a kill, as they do in SQS.
# With SQS_LIMITS=strict it refuses the characters that SQS refuses; the default accepts them.

SQS_VERSION=1.7.1
SQS_JARS=$TOOLS/elasticmq-$SQS_VERSION

sqs_packages() { jar_packages "$SQS_JARS"; }
sqs_fetch() { fetch_jars elasticmq "$SQS_VERSION" "50 MB" "$ROOT/scripts/lib/sqs/pom.xml" "$SQS_JARS"; }
sqs_address() { printf '127.0.0.1:%s' "$SQS_PORT"; }
sqs_data() { printf '%s/sqs' "$DATA_HOME"; }
sqs_version() { [[ ! -f $SQS_JARS/complete ]] || printf '%s' "$SQS_VERSION"; }
sqs_check_ports() { require_free "$SQS_PORT" SQS_PORT; }

sqs_settings() {
  cat <<SETTINGS
# Written by scripts/servers at every start: edit scripts/lib/sqs.sh instead.
node-address { protocol = http, host = "127.0.0.1", port = $SQS_PORT, context-path = "" }
rest-sqs { enabled = true, bind-hostname = "127.0.0.1", bind-port = $SQS_PORT, sqs-limits = ${SQS_LIMITS:-relaxed} }
rest-stats { enabled = false, bind-hostname = "127.0.0.1", bind-port = 0 }
generate-node-address = false
messages-storage {
  enabled = true
  driver-class-name = "org.h2.Driver"
  uri = "jdbc:h2:$(sqs_data)/messages;WRITE_DELAY=0"
  username = ""
  password = ""
  prune-data-on-init = false
}
aws { region = us-east-1, accountId = 000000000000 }
SETTINGS
}

sqs_launch() {
  local data
  data=$(sqs_data)
  mkdir -p "$data"
  sqs_settings >"$data/elasticmq.conf"
  spawn sqs java -Xmx256m -Xms64m "-Dconfig.file=$data/elasticmq.conf" "-Dlogback.configurationFile=$ROOT/scripts/lib/sqs/logback.xml" \
    -cp "$SQS_JARS/*" org.elasticmq.server.Main
}

sqs_answers() { # sends ListQueues
  local status=''
  { exec 3<>"/dev/tcp/127.0.0.1/$SQS_PORT"; } 2>/dev/null || return 1
  printf 'POST / HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 36\r\n\r\n%s' \
    'Action=ListQueues&Version=2012-11-05' >&3
  read -r -t 5 status <&3 || true
  exec 3>&-
  [[ $status == *' 200 '* ]]
}

sqs_end() { end_process sqs TERM 20; }
sqs_forget() { rm -rf -- "$(sqs_data)"; }
