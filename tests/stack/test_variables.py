"""Each function has variables that it reads, and no others.

tests/settings keeps a file of what the functions read.
"""

import unittest

import combinations
import functions
from evaluate import Stack
from translated import template

# Left at their defaults: OpenTelemetry's own; what stream-bridge has for machines on which it runs on, and for FIFO queues.
NOT_PASSED = {
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_SDK_DISABLED",
    "OTEL_SERVICE_NAME",
    "MODE",
    "FIFO_GROUP_FIELD",
}
# Read by the log's setup, before the settings.
OF_EVERY_FUNCTION = {"LOG_LEVEL"}
# Variants of the parameters that together pass on every variable.
WITH_FILES = {"TlsCaFile": "ca.pem", "TlsCertificateFile": "c.pem", "TlsKeyFile": "k.pem", "ApiFilesFolder": "/calls"}
ROLES = {"DatabaseWriterRole": "writer", "DatabaseReaderRole": "reader"}
PASSWORDS = {
    "DatabaseUser": "u",
    "DatabasePassword": "p",
    "RedisGateUser": "u",
    "RedisGatePassword": "p",
    "RedisCacheUser": "u",
    "RedisCachePassword": "p",
    "KafkaUsername": "u",
    "KafkaPassword": "p",
    "PaymentWebhookSecretNext": "sixteen-characters",
    "RefundUrl": "https://provider.example.test/refunds",
    "RefundSecret": "sixteen-characters",
    "RefundSecretNext": "sixteen-characters",
    "OtlpEndpoint": "http://otlp.example.test:4318",
    "OtlpHeaders": "a=b",
}
BOTH = {"CapacityProviderArn": combinations.PROVIDER} | dict.fromkeys(("StorefrontCompute", "OrderCreateCompute"), "on-demand-and-managed")
STACKS = [
    combinations.one(**WITH_FILES, **ROLES, **PASSWORDS, **BOTH),
    combinations.one(logins="secrets", TlsCaSecretArn=combinations.CA, TlsCertificateSecretArn=combinations.CERTIFICATE, **BOTH),
    combinations.one("msk-iam", logins="tokens", ApiFilesBucket="calls", ApiFilesEndpoint="http://127.0.0.1:9000", **BOTH),
]


def passed():
    """Variables of each function in any of the stacks."""
    found = {}
    for parameters in STACKS:
        for name, function in Stack(template(), parameters).of_type("AWS::Lambda::Function").items():
            found.setdefault(name, set()).update(function.get("Environment", {}).get("Variables", {}))
    return found


def logins(**parameters):
    """What each function that reads PostgreSQL has of its login."""
    functions = Stack(template(), combinations.one(**parameters)).of_type("AWS::Lambda::Function")
    found = {name: function.get("Environment", {}).get("Variables", {}) for name, function in functions.items()}
    names = ("DATABASE_AUTH", "DATABASE_USER", "DATABASE_PASSWORD", "DATABASE_SECRET_ARN")
    return {name: {v: has[v] for v in names if v in has} for name, has in found.items() if "DATABASE_URL" in has}


class Variables(unittest.TestCase):
    def test_migrate_has_a_login_of_its_own_and_no_part_of_another(self):
        secret = combinations.OWNER["MigrateDatabaseSecretArn"]
        for ways in ({"logins": "secrets"}, {"logins": "tokens"}, {"DatabaseUser": "u", "DatabasePassword": "p"}):
            others = logins(**ways)
            of_all = others["OrderCreate"]
            self.assertTrue(all(login == of_all for login in others.values()), others)
            self.assertEqual(logins(**ways, **combinations.OWNER), others | {"Migrate": {"DATABASE_SECRET_ARN": secret}})
        owner = {"DATABASE_AUTH": "iam", "DATABASE_USER": "owner"}
        tokens = logins(logins="tokens")
        self.assertEqual(logins(logins="tokens", **combinations.OWNER_USER), tokens | {"Migrate": owner})

    def test_a_function_reads_all_that_it_is_given(self):
        for name, variables in passed().items():
            read = set(functions.settings(name)) | OF_EVERY_FUNCTION
            with self.subTest(name):
                self.assertEqual(variables - read, set())

    def test_all_that_a_program_reads_is_a_parameter(self):
        """Functions of one program, such as storefront's, share its variables among them."""
        of_programs, read = {}, {}
        for name, variables in passed().items():
            program = functions.program(name)
            of_programs.setdefault(program, set()).update(variables)
            read.setdefault(program, set()).update(functions.settings(name))
        for program, variables in read.items():
            # Lambda sets these.
            others = {variable for variable in variables if not variable.startswith("AWS_")}
            with self.subTest(program):
                self.assertEqual(others - of_programs[program] - NOT_PASSED, set())

    def test_what_is_not_passed_is_read(self):
        read = {variable for name in passed() for variable in functions.settings(name)}
        self.assertEqual(NOT_PASSED - read, set())
