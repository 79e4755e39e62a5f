"""infra.yaml against template.yaml: names of outputs, endpoints of the network, and what a team leaves out."""

import re
import unittest

import documents
import translated
from evaluate import Stack

# Parameters without a default that no server of infra.yaml knows.
OF_THE_TEAM = {"EnvPrefix", "JwtIssuer", "JwtAudience"}
# MSK states its brokers by API only; docs/how-to/deploy.md has the command.
BY_COMMAND = {"KafkaBootstrapServers"}
# Actions that a service performs with the role from its own network, or that are no API: a login by IAM.
NOT_FROM_A_SUBNET = {
    "ec2": "Lambda makes the interfaces itself",
    "kafka": "Lambda asks MSK for its brokers itself",
    "kafka-cluster": "the brokers",
    "rds-db": "the database",
    "elasticache": "the cache",
    "memorydb": "the cache",
    "cloudwatch": "CodeDeploy looks at the alarms",
}


class Infrastructure(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.infra = documents.expanded("infra.yaml")
        cls.template = documents.template("template.yaml")

    def resources(self, kind):
        return {k: r for k, r in self.infra["Resources"].items() if r["Type"] == kind}

    def test_every_output_is_a_parameter_of_the_template(self):
        for name in self.infra["Outputs"]:
            self.assertIn(name, self.template["Parameters"])

    def test_every_required_parameter_is_an_output_or_named_here(self):
        required = {k for k, p in self.template["Parameters"].items() if "Default" not in p}
        self.assertEqual(required - set(self.infra["Outputs"]), OF_THE_TEAM | BY_COMMAND)
        guide = documents.read("docs/how-to/deploy.md")
        for name in BY_COMMAND:
            self.assertIn(name, guide)

    def test_the_network_reaches_every_api_that_a_role_names(self):
        services = set()
        for resource in translated.template()["Resources"].values():
            text = str(resource.get("Properties", {})) if resource["Type"].startswith("AWS::IAM::") else ""
            services |= set(re.findall(r"'([a-z-]+):[A-Z][A-Za-z]+'", text))
        # aws: is the prefix of keys of conditions.
        services -= {"aws"}
        self.assertGreater(len(services), 8)
        endpoints = {k.removesuffix("Endpoint").lower() for k in self.resources("AWS::EC2::VPCEndpoint")}
        self.assertLessEqual(services - set(NOT_FROM_A_SUBNET), endpoints)

    def test_an_answer_to_cloudformation_leaves_the_network(self):
        policy = self.infra["Resources"]["S3Endpoint"]["Properties"]["PolicyDocument"]["Statement"]
        self.assertIn("cloudformation-custom-resource-response-", str(policy))

    def test_the_network_has_no_other_way_out(self):
        kinds = {resource["Type"] for resource in self.infra["Resources"].values()}
        self.assertFalse(kinds & {"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route"})

    def test_what_is_left_out_leaves_no_reference(self):
        own = {"NetworkEnabled": "false", "VpcId": "vpc-0123456789abcdef0"} | {f"VpcSubnet{zone}": f"subnet-{zone.lower()}" for zone in "ABC"}
        for change in (
            {},
            own,
            {"KafkaKind": "none"},
            {"KafkaKind": "serverless"},
            {"RedisEnabled": "false"},
            {"DatabaseEnabled": "false"},
            {"RedisGateShards": "3"},
            {"CapacityProviderEnabled": "true"},
            {"CapacityProviderEnabled": "true"} | own,
            {"ApiFilesEnabled": "true"},
        ):
            with self.subTest(change):
                Stack(self.infra, {"EnvPrefix": "test"} | change)

    def test_instances_are_started_only_where_they_are_wanted_and_reach_what_functions_reach(self):
        self.assertNotIn("CapacityProvider", Stack(self.infra, {"EnvPrefix": "test"}).resources)
        stack = Stack(self.infra, {"EnvPrefix": "test", "CapacityProviderEnabled": "true"})
        network = stack.of_type("AWS::Lambda::CapacityProvider")["CapacityProvider"]["VpcConfig"]
        self.assertEqual(network["SubnetIds"], [f"{{Subnet{zone}}}" for zone in "ABC"])
        self.assertEqual(network["SecurityGroupIds"], [stack.outputs["VpcSecurityGroup"]["Value"]])
        self.assertEqual(stack.outputs["CapacityProviderArn"]["Value"], "{CapacityProvider.Arn}")

    def test_the_provider_has_room_for_two_versions_of_every_variant(self):
        parameters = self.template["Parameters"]
        maxima = [p["Default"] for name, p in parameters.items() if name.endswith("ManagedMaximum")]
        vcpus = sum(maxima) * parameters["ManagedMemoryMb"]["Default"] / 2048
        self.assertEqual(len(maxima), 5)
        self.assertGreaterEqual(self.infra["Parameters"]["CapacityProviderMaxVcpus"]["Default"], 2 * vcpus)

    def test_records_and_reservations_survive_a_zone(self):
        resources = self.infra["Resources"]
        settings = resources["KafkaConfiguration"]["Properties"]["ServerProperties"]
        for line in ("min.insync.replicas=2", "unclean.leader.election.enable=false", "log.message.timestamp.type=LogAppendTime"):
            self.assertIn(line, settings.splitlines())
        for topic in self.resources("AWS::MSK::Topic").values():
            self.assertEqual(topic["Properties"]["ReplicationFactor"], 3)
            lines = topic["Properties"]["Configs"]["Fn::Base64"].splitlines()
            self.assertIn("message.timestamp.type=LogAppendTime", lines)
        gate = resources["RedisGateSettings"]["Properties"]["Properties"]
        self.assertEqual(gate["maxmemory-policy"], "noeviction")
        self.assertEqual(resources["RedisCacheSettings"]["Properties"]["Properties"]["maxmemory-policy"], "volatile-lru")
        for group in self.resources("AWS::ElastiCache::ReplicationGroup").values():
            for switch in ("AutomaticFailoverEnabled", "MultiAZEnabled", "TransitEncryptionEnabled", "AtRestEncryptionEnabled"):
                self.assertIs(group["Properties"][switch], True)

    def test_nothing_is_reached_without_tls(self):
        resources = self.infra["Resources"]
        transit = resources["Kafka"]["Properties"]["EncryptionInfo"]["EncryptionInTransit"]
        self.assertEqual(transit, {"ClientBroker": "TLS", "InCluster": True})
        self.assertIs(resources["Kafka"]["Properties"]["ClientAuthentication"]["Unauthenticated"]["Enabled"], False)
        self.assertEqual(resources["DatabaseSettings"]["Properties"]["Parameters"]["rds.force_ssl"], "1")
        self.assertIn("verify-full", str(self.infra["Outputs"]["DatabaseUrl"]))
        for name in ("RedisGateUrl", "RedisCacheUrl"):
            self.assertIn("rediss://", str(self.infra["Outputs"][name]))

    def test_files_of_calls_are_encrypted_private_and_deleted_after_the_collector_would(self):
        self.assertNotIn("CallFiles", Stack(self.infra, {"EnvPrefix": "test"}).resources)
        bucket = self.infra["Resources"]["CallFiles"]["Properties"]
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        self.assertEqual(rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"], "aws:kms")
        self.assertEqual(set(bucket["PublicAccessBlockConfiguration"].values()), {True})
        (statement,) = self.infra["Resources"]["CallFilesPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        self.assertEqual((statement["Effect"], statement["Condition"]), ("Deny", {"Bool": {"aws:SecureTransport": "false"}}))
        kept = self.template["Parameters"]["ApiFilesKeepDays"]["Default"] + self.template["Parameters"]["ApiFilesGraceSeconds"]["Default"] / 86_400
        self.assertGreater(self.infra["Parameters"]["ApiFilesDays"]["Default"], kept)

    def test_alarms_name_headings_of_the_runbook(self):
        known = documents.headings("docs/how-to/runbook.md")
        for name, alarm in self.resources("AWS::CloudWatch::Alarm").items():
            self.assertIn(alarm["Properties"]["AlarmDescription"].split(": ")[1], known, name)


if __name__ == "__main__":
    unittest.main()
