# shellcheck shell=bash
# Certificates of the servers of this checkout: one authority, made by openssl, that no other machine trusts.

# The login of the set `tls`, for every server. The password of PostgreSQL and Redis has characters that a URL, a shell, SQL or
# a list would read as their own; Kafka's tool that stores passwords takes no quotes and brackets.
TLS_USER=usher
TLS_PASSWORD='se#cr?t %@:/&=$"'\'
TLS_KAFKA_PASSWORD='ka#fk?a%@:/&+!'

tls_files() { printf '%s/certificates' "$DATA_HOME"; }

# tls_prepare: certificates of the set `tls`, once.
tls_prepare() {
  uses_tls || return 0
  [[ -f $(tls_files)/complete ]] || working "Making certificates" "$LOGS/certificates.log" \
    certificates "$(tls_files)" "usher local authority" server || die "The certificates could not be made."
}

# tls_settings: what clients need to use the set.
tls_settings() {
  local name
  printf 'export TLS_CA_FILE=%q\n' "$(tls_files)/ca.pem"
  for name in DATABASE REDIS CACHE; do
    printf 'export %s_USER=%q\nexport %s_PASSWORD=%q\n' "$name" "$TLS_USER" "$name" "$TLS_PASSWORD"
  done
  printf 'export KAFKA_USERNAME=%q\nexport KAFKA_PASSWORD=%q\n' "$TLS_USER" "$TLS_KAFKA_PASSWORD"
}

# make_authority FOLDER COMMON-NAME: writes ca.pem and ca.key.
make_authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$2" -keyout "$1/ca.key" -out "$1/ca.pem"
}

# make_certificate FOLDER NAME: writes NAME.pem and NAME.key for servers and clients of this machine. NAME.both.pem
# holds both, as Kafka reads them.
make_certificate() {
  local tls=$1 name=$2
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -keyout "$tls/$name.key" -out "$tls/$name.csr"
  openssl x509 -req -in "$tls/$name.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial -days 3650 \
    -extfile <(printf 'subjectAltName=IP:127.0.0.1,DNS:localhost') -out "$tls/$name.pem"
  cat "$tls/$name.key" "$tls/$name.pem" >"$tls/$name.both.pem"
}

# certificates FOLDER COMMON-NAME NAME...: an authority and certificates, made once.
certificates() {
  local tls=$1 authority=$2 name
  shift 2
  [[ ! -f $tls/complete ]] || return 0
  command -v openssl >/dev/null || die "openssl is not installed." "scripts/setup installs it."
  rm -rf -- "$tls"
  mkdir -m 700 "$tls"
  make_authority "$tls" "$authority" && for name in "$@"; do make_certificate "$tls" "$name" || return 1; done && touch "$tls/complete"
}
