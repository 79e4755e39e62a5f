"""Limits of CloudFormation, IAM and Lambda, which refuse a stack only when it is deployed.

Sources: "Understand CloudFormation quotas"; "IAM and AWS STS quotas"; "Lambda quotas".
"""

import json
import unittest

import combinations
import yaml
from evaluate import Stack
from translated import ROOT, source, template

MAX_TEMPLATE_BYTES = 1_000_000
MAX_PARAMETERS = MAX_OUTPUTS = 200
MAX_RESOURCES = 500
MAX_DESCRIPTION = 1024  # of the template
MAX_PARAMETER_DESCRIPTION = 4000
MAX_MANAGED_POLICIES = 10  # of a role, by default
MAX_MANAGED_POLICY = 6144  # characters without blanks
MAX_ROLE_POLICIES = 10_240  # characters of all of its own policies
MAX_VARIABLES = 4096  # bytes of the names and values of a function's variables
MAX_FUNCTION_NAME, MAX_QUEUE_NAME, MAX_SCHEDULE_NAME = 64, 80, 64


def length(document):
    return len("".join(json.dumps(document).split()))


class Limits(unittest.TestCase):
    def test_the_translated_template_is_within_cloudformations_limits(self):
        translated = template()
        self.assertLessEqual(len(json.dumps(translated)), MAX_TEMPLATE_BYTES)
        self.assertLessEqual((ROOT / "template.yaml").stat().st_size, MAX_TEMPLATE_BYTES)
        self.assertLessEqual(len(translated["Parameters"]), MAX_PARAMETERS)
        self.assertLessEqual(len(translated["Resources"]), MAX_RESOURCES)
        self.assertLessEqual(len(translated["Outputs"]), MAX_OUTPUTS)
        self.assertLessEqual(len(translated["Description"]), MAX_DESCRIPTION)
        for name, parameter in translated["Parameters"].items():
            self.assertLessEqual(len(parameter.get("Description", "")), MAX_PARAMETER_DESCRIPTION, name)

    def test_aliases_of_yaml_are_written_out_before_the_upload(self):
        """CloudFormation takes none ("Template formats"); variants of a function have its variables by one."""
        from samcli.yamlhelper import yaml_dump, yaml_parse

        written = source()
        uploaded = yaml_dump(written)
        tokens = {type(token) for token in yaml.scan(uploaded)}
        self.assertFalse(tokens & {yaml.AliasToken, yaml.AnchorToken})
        self.assertEqual(yaml_parse(uploaded), written)
        self.assertLessEqual(len(uploaded), MAX_TEMPLATE_BYTES)

    def test_roles_and_policies_are_within_iams_limits(self):
        for kafka in combinations.KAFKA:
            for logins in combinations.LOGINS:
                stack = Stack(template(), combinations.one(kafka, "vpc", "kms", logins))
                for name, role in stack.of_type("AWS::IAM::Role").items():
                    self.assertLessEqual(len(role.get("ManagedPolicyArns", [])), MAX_MANAGED_POLICIES, name)
                    own = sum(length(policy["PolicyDocument"]) for policy in role.get("Policies", []))
                    self.assertLessEqual(own, MAX_ROLE_POLICIES, name)
                for name, policy in stack.of_type("AWS::IAM::ManagedPolicy").items():
                    self.assertLessEqual(length(policy["PolicyDocument"]), MAX_MANAGED_POLICY, name)
                    self.assertTrue(policy["PolicyDocument"]["Statement"], f"{name} has no statement")

    def test_variables_are_within_lambdas_limit(self):
        """With long addresses and ARNs, and all logins as secrets."""
        broker = "b-1.a-long-name-of-a-cluster.a1b2c3.c4.kafka.eu-central-1.amazonaws.com:9096"
        long = {
            "EnvPrefix": "a" * 31,
            "KafkaBootstrapServers": ",".join([broker] * 6),
            "DatabaseUrl": "postgres://a-long-name.cluster-abcdefghijkl.eu-central-1.rds.amazonaws.com:5432/ticket_sale",
            "RedisGateUrl": "rediss://clustercfg.a-long-name.abcdef.euc1.cache.amazonaws.com:6379?cluster=true",
            "RedisCacheUrl": "rediss://clustercfg.a-long-name.abcdef.euc1.cache.amazonaws.com:6379?cluster=true",
            "TlsCaSecretArn": combinations.secret("a-long-name-of-a-secret" * 3),
            "TlsCertificateSecretArn": combinations.secret("a-long-name-of-a-secret" * 3),
        }
        for logins in combinations.LOGINS:
            stack = Stack(template(), combinations.one(logins=logins, **long))
            for name, function in stack.of_type("AWS::Lambda::Function").items():
                variables = function.get("Environment", {}).get("Variables", {})
                size = sum(len(variable) + len(str(value)) for variable, value in variables.items())
                self.assertLessEqual(size, MAX_VARIABLES, name)

    def test_names_with_the_longest_prefix_are_within_the_limits(self):
        longest = "a" * 31
        both = dict.fromkeys(("StorefrontCompute", "OrderCreateCompute"), "on-demand-and-managed")
        stack = Stack(template(), combinations.one(EnvPrefix=longest, CapacityProviderArn=combinations.PROVIDER, **both))
        for name, function in stack.of_type("AWS::Lambda::Function").items():
            self.assertLessEqual(len(function["FunctionName"]), MAX_FUNCTION_NAME, name)
        for name, queue in stack.of_type("AWS::SQS::Queue").items():
            self.assertLessEqual(len(queue["QueueName"]), MAX_QUEUE_NAME, name)
        for name, schedule in stack.of_type("AWS::Scheduler::Schedule").items():
            self.assertLessEqual(len(schedule["Name"]), MAX_SCHEDULE_NAME, name)
