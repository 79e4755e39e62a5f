"""Each rule of the template refuses what it is for, with a sentence that names the parameters."""

import unittest

import combinations
from combinations import CA, CERTIFICATE, CLUSTER, KAFKA_SECRET, one, secret
from evaluate import Refused, Stack
from translated import template

VPC = {"VpcSubnetA": "subnet-0a", "VpcSubnetB": "subnet-0b", "VpcSecurityGroup": "sg-0c"}
DATABASE_TOKENS = {"DatabaseAuth": "iam", "DatabaseUser": "writer", "DatabaseResourceId": "cluster-ABC123"}
GATE = {"RedisGateAuth": "iam", "RedisGateUser": "gate", "RedisGateArn": combinations.TOKENS["RedisGateArn"]}
CACHE = {"RedisCacheAuth": "iam", "RedisCacheUser": "cache", "RedisCacheArn": combinations.TOKENS["RedisCacheArn"]}
LONG = "sixteen-characters"
REFUNDS = "https://provider.example.test/refunds"

# Rule, parameters that it refuses, words of its sentence.
REFUSED = [
    ("NetworkIsWhole", one(VpcSubnetA="subnet-0a"), "give all three"),
    ("NetworkIsWhole", one(**VPC | {"VpcSubnetB": ""}), "give all three"),
    ("NetworkIsWhole", one(VpcSecurityGroup="sg-0c"), "give all three"),
    ("DatabaseHasOneLogin", one(DatabaseSecretArn=secret("db"), DatabaseUser="u", DatabasePassword="p"), "leave DatabasePassword"),
    ("DatabaseHasTokens", one(**DATABASE_TOKENS | {"DatabaseUser": ""}), "needs DatabaseUser"),
    ("DatabaseHasTokens", one(**DATABASE_TOKENS | {"DatabaseResourceId": ""}), "needs DatabaseResourceId"),
    ("DatabaseHasTokens", one(**DATABASE_TOKENS, DatabasePassword="p"), "no password"),
    ("DatabasePasswordHasUser", one(DatabasePassword="p"), "needs DatabaseUser"),
    ("MigrateUserHasLogin", one(logins="secrets", MigrateDatabaseUser="owner"), "needs MigrateDatabaseSecretArn"),
    ("RedisGateHasOneLogin", one(RedisGateSecretArn=secret("gate"), RedisGatePassword="p"), "leave RedisGatePassword"),
    ("RedisGateHasTokens", one(**GATE | {"RedisGateUser": ""}), "needs RedisGateUser"),
    ("RedisGateHasTokens", one(**GATE | {"RedisGateArn": ""}), "needs RedisGateArn"),
    ("RedisGateHasTokens", one(**GATE, RedisGatePassword="p"), "no password"),
    ("RedisCacheHasOneLogin", one(RedisCacheSecretArn=secret("cache"), RedisCachePassword="p"), "leave RedisCachePassword"),
    ("RedisCacheHasTokens", one(**CACHE | {"RedisCacheArn": ""}), "needs RedisCacheArn"),
    ("RedisGateUserHasPassword", one(RedisGateUser="u"), "needs RedisGatePassword"),
    ("KafkaLoginIsWhole", one(KafkaUsername="u"), "give both"),
    ("KafkaMappingsHaveLogin", one(KafkaSecretArn="", KafkaUsername="u", KafkaPassword="p"), "mappings need KafkaSecretArn"),
    ("KafkaWriterHasLogin", one(KafkaSecretArn="", OrderCreateEnabled="false", ApiDataCollectorEnabled="false"), "storefront needs"),
    ("KafkaTokensAreForMsk", one(KafkaSecurity="iam"), "only MSK accepts IAM"),
    ("MskIsEncrypted", one("plaintext", KafkaClusterArn=CLUSTER), "reached with"),
    ("MskLogin", one("msk-scram-512", KafkaSaslMechanism="PLAIN"), "SCRAM-SHA-512 only"),
    ("MskLogin", one("msk-scram-512", SecretsKeyArn=""), "needs SecretsKeyArn"),
    ("TlsAuthoritiesComeFromOnePlace", one(TlsCaSecretArn=CA, TlsCaFile="ca.pem"), "not both"),
    ("TlsCertificateComesFromOnePlace", one(TlsCertificateSecretArn=CERTIFICATE, TlsCertificateFile="c", TlsKeyFile="k"), "not both"),
    ("TlsCertificateComesFromOnePlace", one(TlsCertificateFile="c.pem"), "give both"),
    ("PaymentsAreSigned", one(PaymentWebhookSecret=""), "needs PaymentWebhookSecretArn"),
    ("PaymentsAreSigned", one(PaymentWebhookSecretArn=secret("payments")), "not both"),
    ("ApiDomainHasCertificate", one(ApiDomainName="tickets.example.test"), "give both"),
    ("ApiDomainHasCertificate", one(ApiCertificateArn=combinations.DOMAIN["ApiCertificateArn"]), "give both"),
    ("ManagedHasProvider", one(StorefrontCompute="managed"), "need CapacityProviderArn"),
    ("ManagedHasProvider", one(OrderCreateCompute="on-demand-and-managed"), "need CapacityProviderArn"),
    ("NextPaymentKeyHasFirst", one(logins="secrets", PaymentWebhookSecretNext=LONG), "goes with PaymentWebhookSecret"),
    ("RefundsAreSigned", one(RefundUrl=REFUNDS), "needs RefundSecretArn"),
    ("NextRefundKeyHasFirst", one(RefundSecretNext=LONG), "goes with RefundSecret"),
    ("ApiFilesHaveOnePlace", one(ApiFilesBucket="calls", ApiFilesFolder="/calls"), "not both"),
    ("ApiFilesEndpointHasBucket", one(ApiFilesEndpoint="http://127.0.0.1:9000"), "needs ApiFilesBucket"),
    ("TraceHeadersComeFromOnePlace", one(logins="secrets", OtlpHeaders="a=b"), "not both"),
    ("TraceHeadersHaveEndpoint", one(OtlpHeaders="a=b"), "need OtlpEndpoint"),
]

# Near to what is refused, and accepted.
ACCEPTED = [
    one(**VPC),
    one(**DATABASE_TOKENS),
    one(**DATABASE_TOKENS, MigrateDatabaseUser="owner"),
    one(**combinations.OWNER, MigrateDatabaseUser="owner"),
    one(DatabaseUser="u", DatabasePassword="#?%@:/"),
    one(RedisGatePassword="p"),
    one(RedisGateUser="u", RedisGatePassword="p"),
    one(RedisCacheUser="u", RedisCacheSecretArn=secret("cache")),
    one(**GATE, **CACHE),
    one(CapacityProviderArn=combinations.PROVIDER),
    one(CapacityProviderArn=combinations.PROVIDER, OrderCreateCompute="managed"),
    one(KafkaUsername="u", KafkaPassword="p"),
    one("plain", TlsCaFile="ca.pem"),
    one("tls", TlsCertificateFile="c.pem", TlsKeyFile="k.pem"),
    one("plaintext", KafkaSecretArn=KAFKA_SECRET),
    one(PaymentWebhookSecretNext=LONG),
    one(RefundUrl=REFUNDS, RefundSecret=LONG, RefundSecretNext=LONG),
    one(RefundSecretArn=secret("refunds")),
    one(StorefrontEnabled="false", PaymentWebhookSecret="", KafkaSecretArn=KAFKA_SECRET),
    one(OtlpEndpoint="http://otlp:4318", OtlpHeaders="a=b"),
]


class Rules(unittest.TestCase):
    def test_a_contradiction_is_refused_with_its_sentence(self):
        for rule, parameters, words in REFUSED:
            with self.subTest(rule=rule, words=words):
                with self.assertRaises(Refused) as refused:
                    Stack(template(), parameters)
                sentences = [a["AssertDescription"] for a in template()["Rules"][rule]["Assertions"] if words in a["AssertDescription"]]
                self.assertEqual(len(sentences), 1)
                self.assertEqual(str(refused.exception), sentences[0])

    def test_every_assertion_is_tried(self):
        tried = [(rule, words) for rule, _, words in REFUSED]
        for rule, declared in template()["Rules"].items():
            for assertion in declared["Assertions"]:
                described = assertion["AssertDescription"]
                same = rule.replace("RedisCache", "RedisGate"), described.replace("RedisCache", "RedisGate")
                self.assertTrue(any(same[0] == r and words in same[1] for r, words in tried), f"{rule}: {described}")

    def test_what_is_near_is_accepted(self):
        for parameters in ACCEPTED:
            Stack(template(), parameters)

    def test_the_defaults_alone_say_what_is_missing(self):
        with self.assertRaises(Refused) as refused:
            Stack(template(), combinations.REQUIRED)
        for words in ("KafkaSecretArn", "PaymentWebhookSecretArn"):
            self.assertIn(words, str(refused.exception))

    def test_a_name_in_the_wrong_form_is_refused(self):
        for name, value in [("VpcSubnetA", "sg-1"), ("KmsKeyArn", "alias/key"), ("KafkaSecretArn", "kafka"), ("KafkaClusterArn", "arn:aws:kafka")]:
            with self.subTest(name=name), self.assertRaises(Refused):
                Stack(template(), one(**{name: value}))
