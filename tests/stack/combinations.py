"""Parameters of the stacks that are checked: the seven switches in full, every way to reach Kafka, networks, keys and logins."""

import itertools

ACCOUNT = "eu-central-1:123456789012"
PROVIDER = f"arn:aws:lambda:{ACCOUNT}:capacity-provider:sale"
KEY = f"arn:aws:kms:{ACCOUNT}:key/1"
SECRETS_KEY = f"arn:aws:kms:{ACCOUNT}:key/2"
CLUSTER = f"arn:aws:kafka:{ACCOUNT}:cluster/sale/0a1b-2"


def secret(name):
    return f"arn:aws:secretsmanager:{ACCOUNT}:secret:{name}-AbCdEf"


KAFKA_SECRET, CA, CERTIFICATE = secret("AmazonMSK_kafka"), secret("ca"), secret("certificate")

# What a team must give; the rest has defaults.
REQUIRED = {
    "EnvPrefix": "test",
    "DatabaseUrl": "postgres://db.example.test:5432/sale",
    "RedisGateUrl": "rediss://gate.example.test:6379",
    "RedisCacheUrl": "rediss://cache.example.test:6379",
    "KafkaBootstrapServers": "b-1.example.test:9096,b-2.example.test:9096",
    "JwtIssuer": "https://auth.example.test/",
    "JwtAudience": "ticket-sale",
}

SWITCHES = [
    "StorefrontEnabled",
    "OrderCreateEnabled",
    "TimeoutCloserEnabled",
    "StreamBridgeEnabled",
    "CacheInvalidatorEnabled",
    "ApiCallsEnabled",
    "ApiDataCollectorEnabled",
]

LOGIN = {"KafkaSecurity": "sasl_ssl", "KafkaSecretArn": KAFKA_SECRET}
TLS = {"KafkaSecurity": "ssl"}
ON_MSK = {"KafkaClusterArn": CLUSTER}
KAFKA = {
    "plaintext": {"KafkaSecurity": "plaintext"},
    "scram-512": LOGIN | {"KafkaSaslMechanism": "SCRAM-SHA-512"},
    "scram-256": LOGIN | {"KafkaSaslMechanism": "SCRAM-SHA-256"},
    "plain": LOGIN | {"KafkaSaslMechanism": "PLAIN"},
    "scram-512-private-ca": LOGIN | {"TlsCaSecretArn": CA},
    "tls": TLS,
    "mtls": TLS | {"TlsCertificateSecretArn": CERTIFICATE},
    "mtls-private-ca": TLS | {"TlsCertificateSecretArn": CERTIFICATE, "TlsCaSecretArn": CA},
    "msk-tls": TLS | ON_MSK,
    "msk-scram-512": LOGIN | ON_MSK | {"SecretsKeyArn": SECRETS_KEY},
    "msk-mtls": TLS | ON_MSK | {"TlsCertificateSecretArn": CERTIFICATE},
    "msk-iam": ON_MSK | {"KafkaSecurity": "iam"},
}

VPC = {"outside": {}, "vpc": {"VpcSubnetA": "subnet-0a", "VpcSubnetB": "subnet-0b", "VpcSecurityGroup": "sg-0c"}}
KMS = {"own-keys": {}, "kms": {"KmsKeyArn": KEY}}
FILES = {"ApiFilesBucket": "calls.example.test"}

SECRETS = {
    "DatabaseSecretArn": secret("database"),
    "RedisGateSecretArn": secret("gate"),
    "RedisCacheSecretArn": f"arn:aws:ssm:{ACCOUNT}:parameter/sale/cache",
    "PaymentWebhookSecretArn": secret("payments"),
    "RefundUrl": "https://provider.example.test/refunds",
    "RefundSecretArn": secret("refunds"),
    "OtlpEndpoint": "https://otlp.example.test:4318",
    "OtlpHeadersSecretArn": secret("otlp"),
    "SecretsKeyArn": SECRETS_KEY,
    **FILES,
}
TOKENS = {
    "DatabaseAuth": "iam",
    "DatabaseUser": "writer",
    "DatabaseResourceId": "cluster-ABC123",
    "RedisGateAuth": "iam",
    "RedisGateUser": "gate",
    "RedisGateArn": f"arn:aws:elasticache:{ACCOUNT}:serverlesscache:gate",
    "RedisCacheAuth": "iam",
    "RedisCacheUser": "cache",
    "RedisCacheArn": f"arn:aws:elasticache:{ACCOUNT}:replicationgroup:cache",
    "PaymentWebhookSecret": "sixteen-characters",
}
LOGINS = {"plain": {"PaymentWebhookSecret": "sixteen-characters"}, "secrets": SECRETS, "tokens": TOKENS}

COMPUTE = ["on-demand", "on-demand-and-managed", "managed-and-on-demand", "managed"]
OWNER, OWNER_USER = {"MigrateDatabaseSecretArn": secret("owner")}, {"MigrateDatabaseUser": "owner"}
DOMAIN = {"ApiDomainName": "tickets.example.test", "ApiCertificateArn": f"arn:aws:acm:{ACCOUNT}:certificate/1"}


def one(kafka="scram-512", vpc="outside", kms="own-keys", logins="plain", **others):
    """Parameters of one stack, with all switches on unless `others` says otherwise."""
    return REQUIRED | LOGINS[logins] | KAFKA[kafka] | VPC[vpc] | KMS[kms] | others


def every():
    """All settings of the switches times all ways to reach Kafka. The twelve networks, keys and logins take turns, so that each of them meets
    each way to reach Kafka and both positions of each switch; test_combinations.py counts."""
    switched = itertools.product(["true", "false"], repeat=len(SWITCHES))
    rest = list(itertools.product(VPC, KMS, LOGINS))
    for (turn, switches), (at, kafka) in itertools.product(enumerate(switched), enumerate(KAFKA)):
        # The second term: twelve is a multiple of the period of the last two switches.
        vpc, kms, logins = rest[(turn + turn // len(rest) + at) % len(rest)]
        switches = dict(zip(SWITCHES, switches))
        on = "".join(value[0] for value in switches.values())
        yield f"{on} {kafka} {vpc} {kms} {logins}", one(kafka, vpc, kms, logins, **switches)


def compute():
    """All settings of where storefront and order-create run, on and off, times all ways to reach Kafka; the rest, and a name of the API and a
    login for Migrate, take turns."""
    turns = itertools.cycle(itertools.product(VPC, KMS, LOGINS, ({}, DOMAIN), ({}, OWNER, OWNER | OWNER_USER, OWNER_USER)))
    switches = itertools.product(["true", "false"], repeat=2)
    for storefront, orders, (of_storefront, of_orders), kafka in itertools.product(COMPUTE, COMPUTE, switches, KAFKA):
        vpc, kms, logins, domain, owner = next(turns)
        if owner == OWNER_USER and logins != "tokens":
            owner = {}
        where = {"CapacityProviderArn": PROVIDER, "StorefrontCompute": storefront, "OrderCreateCompute": orders}
        switched = {"StorefrontEnabled": of_storefront, "OrderCreateEnabled": of_orders}
        label = f"{storefront} {orders} {of_storefront} {of_orders} {kafka} {vpc} {kms} {logins} {' '.join(domain | owner)}"
        yield label, one(kafka, vpc, kms, logins, **where, **switched, **domain, **owner)
