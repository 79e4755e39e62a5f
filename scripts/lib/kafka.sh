# shellcheck shell=bash
# Apache Kafka: one KRaft process, broker and controller in one. Its jars come from Maven Central.

KAFKA_VERSION=4.4.0
KAFKA_JARS=$TOOLS/kafka-$KAFKA_VERSION

kafka_packages() { jar_packages "$KAFKA_JARS"; }
kafka_address() { printf '127.0.0.1:%s' "$KAFKA_PORT"; }
kafka_data() { printf '%s/kafka' "$DATA_HOME"; }
kafka_version() { [[ ! -f $KAFKA_JARS/complete ]] || printf '%s' "$KAFKA_VERSION"; }

# If both variables name ports, Kafka has encrypted listeners as well: KAFKA_SASL_PORT requires a login (SCRAM or
# PLAIN: alice, alice-secret) or a token (OAUTHBEARER, unsigned), KAFKA_MTLS_PORT a client certificate. Certificates and
# keys are in the data folder, under tls/. KAFKA_RELAYED_PORTS ("PORT:TO ...") adds listeners without encryption: clients of
# PORT are sent to the port TO.
kafka_is_secured() { [[ -n ${KAFKA_SASL_PORT:-} && -n ${KAFKA_MTLS_PORT:-} ]]; }

kafka_secured_settings() {
  local tls
  tls=$(kafka_data)/tls
  cat <<SETTINGS
ssl.keystore.type=PEM
ssl.keystore.location=$tls/broker.both.pem
ssl.truststore.type=PEM
ssl.truststore.location=$tls/ca.pem
listener.name.mtls.ssl.client.auth=required
listener.name.login.sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512,PLAIN,OAUTHBEARER
listener.name.login.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.login.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="alice-secret";
listener.name.login.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
SETTINGS
}

# The set `tls`: SCRAM over TLS for clients and for the broker itself, and TLS to the controller.
kafka_tls_settings() {
  local tls login
  tls=$(tls_files)
  login="org.apache.kafka.common.security.scram.ScramLoginModule required username=\"$TLS_USER\" password=\"$TLS_KAFKA_PASSWORD\";"
  cat <<SETTINGS
ssl.keystore.type=PEM
ssl.keystore.location=$tls/server.both.pem
ssl.truststore.type=PEM
ssl.truststore.location=$tls/ca.pem
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.broker.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.broker.scram-sha-512.sasl.jaas.config=$login
SETTINGS
}

kafka_check_ports() {
  require_free "$KAFKA_PORT" KAFKA_PORT
  require_free "$KAFKA_CONTROLLER_PORT" KAFKA_CONTROLLER_PORT
  ! kafka_is_secured || { require_free "$KAFKA_SASL_PORT" KAFKA_SASL_PORT && require_free "$KAFKA_MTLS_PORT" KAFKA_MTLS_PORT; }
}

kafka_fetch() { fetch_jars kafka "$KAFKA_VERSION" "45 MB" "$ROOT/scripts/lib/kafka/pom.xml" "$KAFKA_JARS"; }

kafka_settings() {
  local more='' protocols='' relayed='' sent='' pair n=0
  if kafka_is_secured; then
    more=",LOGIN://127.0.0.1:$KAFKA_SASL_PORT,MTLS://127.0.0.1:$KAFKA_MTLS_PORT"
    protocols=,LOGIN:SASL_SSL,MTLS:SSL
    kafka_secured_settings
  fi
  if uses_tls; then
    protocols=BROKER:SASL_SSL,CONTROLLER:SSL
    kafka_tls_settings
  else
    protocols=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT$protocols
  fi
  for pair in ${KAFKA_RELAYED_PORTS:-}; do
    n=$((n + 1))
    relayed+=",RELAYED$n://127.0.0.1:${pair%:*}"
    sent+=",RELAYED$n://127.0.0.1:${pair#*:}"
    protocols+=",RELAYED$n:PLAINTEXT"
  done
  cat <<SETTINGS
# Written by scripts/servers at every start: edit scripts/lib/kafka.sh instead.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$KAFKA_CONTROLLER_PORT
listeners=BROKER://127.0.0.1:$KAFKA_PORT,CONTROLLER://127.0.0.1:$KAFKA_CONTROLLER_PORT$more$relayed
advertised.listeners=BROKER://127.0.0.1:$KAFKA_PORT$more$sent
listener.security.protocol.map=$protocols
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs=$(kafka_data)/log
# A client that names a missing topic gets an error; the broker does not create it.
auto.create.topics.enable=false
delete.topic.enable=true
# One broker: internal topics have one replica, and few partitions, as each opens two files.
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
  local data cluster users=()
  data=$(kafka_data)
  mkdir -p "$data"
  if kafka_is_secured; then
    working "Making certificates for Kafka" "$LOGS/kafka-certificates.log" certificates "$data/tls" "usher test authority" broker alice ||
      die "The certificates could not be made."
    users=(--add-scram 'SCRAM-SHA-256=[name=alice,password=alice-secret]' --add-scram 'SCRAM-SHA-512=[name=alice,password=alice-secret]')
  fi
  ! uses_tls || users=(--add-scram "SCRAM-SHA-512=[name=$TLS_USER,password=$TLS_KAFKA_PASSWORD]")
  kafka_settings >"$data/server.properties"
  if [[ ! -f $data/log/meta.properties ]]; then
    rm -rf -- "$data/log" # an interrupted first start left it
    cluster=$(head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | tr -d '=')
    working "Formatting Kafka's log" "$LOGS/kafka-format.log" \
      kafka_java kafka.tools.StorageTool format -t "$cluster" -c "$data/server.properties" "${users[@]}" || die "Kafka's log could not be formatted."
  fi
  spawn kafka java -Xmx512m -Xms256m "-Dlog4j2.configurationFile=$ROOT/scripts/lib/kafka/log4j2.properties" \
    -cp "$KAFKA_JARS/*" kafka.Kafka "$data/server.properties"
}

# Sends ApiVersions, the first request of every client: an open port does not prove that the broker answers.
kafka_answers() {
  local size=0 request='\0\0\0\012\0\022\0\0\0\0\0\001\377\377'
  if uses_tls; then # the broker answers this request before the login; openssl ends with the timeout
    # shellcheck disable=SC2059 # the bytes are the format
    size=$( (printf "$request"; sleep 2) | timeout 2 openssl s_client -quiet -verify_return_error -CAfile "$(tls_files)/ca.pem" \
      -connect "127.0.0.1:$KAFKA_PORT" 2>/dev/null | head -c 4 | od -An -tu1 | wc -w) || true
    ((size == 4))
    return
  fi
  { exec 3<>"/dev/tcp/127.0.0.1/$KAFKA_PORT"; } 2>/dev/null || return 1
  # shellcheck disable=SC2059
  printf "$request" >&3
  size=$(timeout 2 head -c 4 <&3 | od -An -tu1 | wc -w) || true
  exec 3>&-
  ((size == 4))
}

kafka_end() { end_process kafka TERM 20; }
kafka_forget() { rm -rf -- "$(kafka_data)"; }
