# shellcheck shell=bash
# Apache Kafka: one KRaft process, broker and controller in one. Its jars come from Maven Central.

KAFKA_VERSION=4.4.0
KAFKA_JARS=$TOOLS/kafka-$KAFKA_VERSION

kafka_packages() { jar_packages "$KAFKA_JARS"; }
kafka_address() { printf '127.0.0.1:%s' "$KAFKA_PORT"; }
kafka_data() { printf '%s/kafka' "$DATA_HOME"; }
kafka_version() { [[ ! -f $KAFKA_JARS/complete ]] || printf '%s' "$KAFKA_VERSION"; }

kafka_check_ports() {
  require_free "$KAFKA_PORT" KAFKA_PORT
  require_free "$KAFKA_CONTROLLER_PORT" KAFKA_CONTROLLER_PORT
}

kafka_fetch() { fetch_jars kafka "$KAFKA_VERSION" "45 MB" "$ROOT/scripts/lib/kafka/pom.xml" "$KAFKA_JARS"; }

kafka_settings() {
  cat <<SETTINGS
# Written by scripts/servers at every start: edit scripts/lib/kafka.sh instead.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$KAFKA_CONTROLLER_PORT
listeners=BROKER://127.0.0.1:$KAFKA_PORT,CONTROLLER://127.0.0.1:$KAFKA_CONTROLLER_PORT
advertised.listeners=BROKER://127.0.0.1:$KAFKA_PORT
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs=$(kafka_data)/log
# A topic that nobody created is a mistake to be told, not a topic to be made.
auto.create.topics.enable=false
delete.topic.enable=true
# One broker: every internal topic has one replica, and few partitions, as each is two files to open.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
log.retention.hours=48
num.network.threads=2
num.io.threads=4
SETTINGS
}

kafka_java() { java -Xmx512m -Xms256m "-Dlog4j2.configurationFile=$ROOT/scripts/lib/kafka/log4j2.properties" -cp "$KAFKA_JARS/*" "$@"; }

kafka_launch() {
  local data cluster
  data=$(kafka_data)
  mkdir -p "$data"
  kafka_settings >"$data/server.properties"
  if [[ ! -f $data/log/meta.properties ]]; then
    rm -rf -- "$data/log" # left by a first start that was interrupted
    cluster=$(head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | tr -d '=')
    working "Formatting Kafka's log" "$LOGS/kafka-format.log" \
      kafka_java kafka.tools.StorageTool format -t "$cluster" -c "$data/server.properties" || die "Kafka's log could not be formatted."
  fi
  spawn kafka java -Xmx512m -Xms256m "-Dlog4j2.configurationFile=$ROOT/scripts/lib/kafka/log4j2.properties" \
    -cp "$KAFKA_JARS/*" kafka.Kafka "$data/server.properties"
}

# Asks for the API versions, the first thing every client asks: an open port alone is not yet an answer.
kafka_answers() {
  local size=0
  { exec 3<>"/dev/tcp/127.0.0.1/$KAFKA_PORT"; } 2>/dev/null || return 1
  printf '\0\0\0\012\0\022\0\0\0\0\0\001\377\377' >&3
  size=$(timeout 2 head -c 4 <&3 | od -An -tu1 | wc -w) || true
  exec 3>&-
  ((size == 4))
}

kafka_end() { end_process kafka TERM 20; }
kafka_forget() { rm -rf -- "$(kafka_data)"; }
