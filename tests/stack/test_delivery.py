"""How a deployment reaches traffic: aliases, order, alarms, what is kept. On the stack that SAM makes of template.yaml."""

import json
import re
import unittest

import documents
import translated

CONSUMERS = {"OrderCreate", "OrderCreateManaged", "ApiDataCollector", "TimeoutCloser", "StreamBridge", "CacheInvalidator"}


class Delivery(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = translated.template()["Resources"]
        cls.functions = {k for k, r in cls.stack.items() if r["Type"] == "AWS::Lambda::Function"}
        cls.storefronts = {k for k in cls.functions if k.startswith("Storefront")}

    def of(self, kind):
        return {k: r for k, r in self.stack.items() if r["Type"] == kind}

    def references(self, node):
        """Logical ids that a value refers to."""
        if isinstance(node, list):
            return {id for entry in node for id in self.references(entry)}
        if not isinstance(node, dict):
            return set()
        found = {id for value in node.values() for id in self.references(value)}
        if isinstance(node.get("Ref"), str):
            found.add(node["Ref"])
        if "Fn::GetAtt" in node:
            found.add(node["Fn::GetAtt"][0])
        return found

    def test_every_function_has_an_alias_of_its_last_version(self):
        self.assertEqual(len(self.functions), 15)
        for name in self.functions:
            alias = self.stack[f"{name}Aliaslive"]["Properties"]
            version = alias["FunctionVersion"]["Fn::GetAtt"][0]
            self.assertEqual(self.stack[version]["Properties"]["FunctionName"], {"Ref": name})

    def test_no_source_schedule_or_permission_names_an_unqualified_function(self):
        checked = 0
        for id, resource in self.stack.items():
            properties = resource.get("Properties", {})
            match resource["Type"]:
                case "AWS::Lambda::EventSourceMapping" | "AWS::Lambda::Permission":
                    named = properties["FunctionName"]
                case "AWS::Scheduler::Schedule":
                    named = properties["Target"]["Arn"]
                case "AWS::ApiGatewayV2::Api":
                    invoked = re.findall(r"functions/\$\{(\w+)\}/invocations", json.dumps(properties["Body"]))
                    self.assertGreater(len(invoked), 20)
                    self.assertEqual({name for name in invoked if not name.endswith("Aliaslive")}, set())
                    continue
                case "Custom::Migration":
                    named = properties["ServiceToken"]
                case _:
                    continue
            checked += 1
            self.assertFalse(self.references(named) & self.functions, id)
        self.assertGreater(checked, 25)

    def test_roles_invoke_aliases_only(self):
        checked = 0
        for id, role in self.of("AWS::IAM::Role").items():
            for policy in role["Properties"].get("Policies", []):
                statements = policy.get("PolicyDocument", {}).get("Statement", [])
                for statement in statements if isinstance(statements, list) else [statements]:
                    if "lambda:InvokeFunction" in json.dumps(statement.get("Action")):
                        checked += 1
                        self.assertFalse(self.references(statement["Resource"]) & self.functions, id)
        self.assertEqual(checked, 2, "one for each schedule")

    def test_settings_of_asynchronous_events_are_those_of_the_alias(self):
        for id, config in self.of("AWS::Lambda::EventInvokeConfig").items():
            self.assertEqual(config["Properties"]["Qualifier"], "live", id)

    def test_the_schema_is_migrated_before_any_other_function_changes(self):
        migration = self.stack["Migration"]
        self.assertIn("MigrateAliaslive", self.references(migration["Properties"]))
        # A property that changes with each version: without it CloudFormation requests nothing.
        version = self.references(migration["Properties"]["Version"]).pop()
        self.assertEqual(self.stack[version]["Type"], "AWS::Lambda::Version")
        for name in self.functions - {"Migrate"}:
            self.assertIn("Migration", self.after(name), name)
        self.assertNotIn("Condition", migration)

    def after(self, id):
        """All resources that one waits for."""
        found = set()
        waiting = [id]
        while waiting:
            resource = self.stack.get(waiting.pop(), {})
            depends = resource.get("DependsOn", [])
            next = {depends} if isinstance(depends, str) else set(depends)
            next |= self.references([resource.get("Properties"), resource.get("Metadata")])
            waiting += next - found
            found |= next
        return found

    def test_storefront_changes_after_the_aliases_of_its_consumers(self):
        for name in self.storefronts:
            for consumer in CONSUMERS:
                self.assertIn(f"{consumer}Aliaslive", self.after(name), name)

    def test_what_a_condition_leaves_out_is_no_dependency(self):
        for id, resource in self.stack.items():
            depends = resource.get("DependsOn", [])
            for other in [depends] if isinstance(depends, str) else depends:
                condition = self.stack[other].get("Condition")
                self.assertIn(condition, (None, resource.get("Condition")), f"{id} depends on {other}")

    def test_a_deployment_is_moved_back_by_its_alarms(self):
        groups = self.of("AWS::CodeDeploy::DeploymentGroup")
        moved = {k.removesuffix("DeploymentGroup") for k in groups}
        self.assertEqual(moved, self.storefronts | {"OrderCreate", "OrderCreateManaged", "ApiDataCollector"})
        for id, group in groups.items():
            alarms = self.references(group["Properties"]["AlarmConfiguration"])
            for alarm in alarms:
                self.assertEqual(self.stack[alarm]["Type"], "AWS::CloudWatch::Alarm")
                self.assertEqual(self.stack[alarm].get("Condition"), group.get("Condition"), id)
            own = self.stack[f"{id.removesuffix('DeploymentGroup')}Rollback"]["Properties"]
            name = self.stack[id.removesuffix("DeploymentGroup")]["Properties"]["FunctionName"]["Fn::Sub"]
            values = {d["Name"]: d["Value"]["Fn::Sub"] for d in own["Dimensions"]}
            self.assertEqual(values, {"FunctionName": name, "Resource": f"{name}:live"})
            self.assertIn("DEPLOYMENT_STOP_ON_ALARM", group["Properties"]["AutoRollbackConfiguration"]["Events"])

    def test_alarms_of_a_deployment_are_in_the_runbook(self):
        known = documents.headings("docs/how-to/runbook.md")
        for id, alarm in self.of("AWS::CloudWatch::Alarm").items():
            self.assertIn(alarm["Properties"]["AlarmDescription"].split(": ")[1], known, id)

    def test_types_of_deployments_are_known_to_codedeploy(self):
        for kind in documents.template("template.yaml")["Parameters"]["DeploymentType"]["AllowedValues"]:
            stack = translated.translate(translated.source(), {"DeploymentType": kind})["Resources"]
            config = stack["StorefrontDeploymentGroup"]["Properties"]["DeploymentConfigName"]
            names = config["Fn::Sub"]
            self.assertEqual(names, ["CodeDeployDefault.Lambda${ConfigName}", {"ConfigName": kind}])

    def test_resources_with_data_say_what_a_deletion_does(self):
        for path in ("template.yaml", "infra.yaml"):
            for id, resource in documents.expanded(path)["Resources"].items():
                if resource["Type"] not in STATEFUL:
                    continue
                self.assertIn(resource.get("DeletionPolicy"), STATEFUL[resource["Type"]], f"{path}: {id}")
                self.assertIn("UpdateReplacePolicy", resource, f"{path}: {id}")


KEPT = ("Retain", "RetainExceptOnCreate", "Snapshot")
STATEFUL = {
    "AWS::SQS::Queue": (*KEPT, "Delete"),
    "AWS::Logs::LogGroup": KEPT,
    "AWS::RDS::DBCluster": KEPT,
    "AWS::ElastiCache::ReplicationGroup": KEPT,
    "AWS::MSK::Cluster": KEPT,
    "AWS::MSK::ServerlessCluster": KEPT,
    "AWS::SecretsManager::Secret": KEPT,
    "AWS::KMS::Key": KEPT,
}


if __name__ == "__main__":
    unittest.main()
