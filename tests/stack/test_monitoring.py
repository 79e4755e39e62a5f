"""Alarms, rules and dashboards against the sources, the template and the runbook."""

import re
import unittest

import documents
import yaml

PREFIX = "demo"
PARAMETERS = {"EnvPrefix": PREFIX, "AWS::Region": "eu-central-1"}
# Metrics of AWS' own services, as their documentation names them.
OF_SERVICES = {
    "AWS/Lambda": {"Errors", "Throttles", "Duration", "OffsetLag", "ConcurrentExecutions"},
    "AWS/SQS": {"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"},
}
PART_OF_SALE = ("shared/src", "functions", "crates")
RULES = "deploy/prometheus/usher.rules.yml"
RUNBOOK = "docs/how-to/runbook.md"


def events(*folders):
    """Names of the alarms that sources log."""
    found = set()
    for _, text in documents.sources(*folders):
        found |= set(re.findall(r'\balarm = "(\w+)"', text))
    return found


def printed():
    """Names of the metrics that functions print."""
    found = set()
    for _, text in documents.sources("shared/src", "functions"):
        found |= set(re.findall(r'\.(?:count|milliseconds)\(\s*"(\w+)"', text))
    return found


def prometheus_name(metric):
    """As Exposition::name of the host."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", metric).lower()


def host_families():
    """Names of the families that the host's own code announces, as literals or prefix and table."""
    found = set()
    for _, text in documents.sources("runtime/src"):
        literals = set(re.findall(r'"([a-z][a-z_]*)"', text))
        prefixes = {name for name in literals if name == "usher" or name.startswith("usher_")}
        found |= prefixes | {f"{prefix}_{name}" for prefix in prefixes for name in literals}
    return found


def audit_families():
    """Names of the families that ticket-audit writes."""
    texts = [text for _, text in documents.sources("operator/audit/src")]
    return set(re.findall(r'"(ticket_audit_[a-z_]+)"', " ".join(texts)))


class Alarms(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.document = documents.expanded("alarms.yaml")
        resources = cls.document["Resources"]
        cls.alarms = {k: r["Properties"] for k, r in resources.items() if r["Type"] == "AWS::CloudWatch::Alarm"}
        cls.filters = {k: r["Properties"] for k, r in resources.items() if r["Type"] == "AWS::Logs::MetricFilter"}
        cls.template = documents.template("template.yaml")

    def text(self, node):
        return documents.text(node, self.document, PARAMETERS)

    def dimension(self, alarm, name):
        for dimension in alarm.get("Dimensions", []):
            if dimension["Name"] == name:
                return self.text(dimension["Value"])
        return None

    def of(self, metric):
        return [alarm for alarm in self.alarms.values() if self.text(alarm["MetricName"]) == metric]

    def resources(self, kind):
        return {k: r["Properties"] for k, r in self.template["Resources"].items() if r["Type"] == kind}

    def test_every_event_of_the_sale_has_an_alarm(self):
        alarmed = [self.dimension(alarm, "alarm") for alarm in self.of("AlarmEvents")]
        self.assertEqual(sorted(alarmed), sorted(events(*PART_OF_SALE)))

    def test_every_alarm_names_a_heading_of_the_runbook(self):
        known = documents.headings(RUNBOOK)
        for name, alarm in self.alarms.items():
            page, heading = self.text(alarm["AlarmDescription"]).split(": ")
            self.assertEqual(page, RUNBOOK, name)
            self.assertIn(heading, known, name)

    def test_every_event_has_a_heading_and_a_line_in_the_reference(self):
        known = documents.headings(RUNBOOK)
        listed = set()
        for row in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", documents.read("docs/reference/operations.md"), re.M):
            listed |= set(re.findall(r"`(\w+)`", row))
        for event in events(*PART_OF_SALE, "runtime/src"):
            self.assertIn(event, known)
            self.assertIn(event, listed)

    def test_every_queue_has_an_alarm(self):
        watched = {self.dimension(alarm, "QueueName") for alarm in self.alarms.values()}
        for name, queue in self.resources("AWS::SQS::Queue").items():
            self.assertIn(documents.text(queue["QueueName"], self.template, PARAMETERS), watched, name)

    def test_dead_letters_are_watched_by_number_and_by_age(self):
        for name, queue in self.resources("AWS::SQS::Queue").items():
            if not name.endswith("DeadLetters"):
                continue
            queue = documents.text(queue["QueueName"], self.template, PARAMETERS)
            metrics = {self.text(a["MetricName"]) for a in self.alarms.values() if self.dimension(a, "QueueName") == queue}
            self.assertEqual(metrics, OF_SERVICES["AWS/SQS"], name)

    def test_every_function_has_an_alarm_of_errors_and_a_filter_of_events(self):
        functions = self.resources("AWS::Serverless::Function")
        names = {documents.text(f["FunctionName"], self.template, PARAMETERS) for f in functions.values()}
        # A variant on managed instances stands in for its function, and has the same alarms.
        alarmed = {self.dimension(alarm, "FunctionName") for alarm in self.of("Errors")}
        self.assertEqual(alarmed, names)
        groups = {self.text(f["LogGroupName"]) for f in self.filters.values() if "alarm" in f["FilterPattern"]}
        logs = {documents.text(g["LogGroupName"], self.template, PARAMETERS) for g in self.resources("AWS::Logs::LogGroup").values()}
        self.assertEqual(groups, {group for group in logs if not group.endswith("/api")})

    def test_every_kafka_mapping_has_an_alarm_of_its_lag(self):
        mapped = set()
        for mapping in self.resources("AWS::Lambda::EventSourceMapping").values():
            # A function, or the two of a condition.
            named = mapping["FunctionName"].get("Fn::If", [None, mapping["FunctionName"]])[1:]
            for function in named:
                name = self.template["Resources"][function["Ref"].split(".")[0]]["Properties"]["FunctionName"]
                mapped.add(documents.text(name, self.template, PARAMETERS))
        self.assertEqual({self.dimension(alarm, "FunctionName") for alarm in self.of("OffsetLag")}, mapped)

    def test_every_metric_of_an_alarm_is_emitted(self):
        own = printed()
        filtered = {self.text(t["MetricName"]) for f in self.filters.values() for t in f["MetricTransformations"]}
        for name, alarm in self.alarms.items():
            self.assertTrue(self.is_emitted(self.text(alarm["Namespace"]), self.text(alarm["MetricName"]), own, filtered), name)

    def is_emitted(self, namespace, metric, own, filtered):
        if namespace == "Usher":
            return metric in own
        if namespace == f"Usher/{PREFIX}":
            return metric in filtered
        return metric in OF_SERVICES[namespace]

    def test_every_metric_of_the_dashboard_is_emitted(self):
        own = printed()
        filtered = {self.text(t["MetricName"]) for f in self.filters.values() for t in f["MetricTransformations"]}
        body = self.text(self.document["Resources"]["Dashboard"]["Properties"]["DashboardBody"])
        widgets = documents.as_json(body)["widgets"]
        self.assertGreater(len(widgets), 5)
        for widget in widgets:
            namespace = metric = None
            for row in widget["properties"]["metrics"]:
                row = [word for word in row if isinstance(word, str)]
                if row[0] != "...":
                    namespace = row[0] if row[0] != "." else namespace
                    metric = row[1] if row[1] != "." else metric
                self.assertTrue(self.is_emitted(namespace, metric, own, filtered), row)

    def test_switches_have_the_names_of_the_template(self):
        for name in self.document["Parameters"]:
            if name.endswith("Enabled") or name == "EnvPrefix":
                self.assertIn(name, self.template["Parameters"])


class Rules(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        groups = yaml.safe_load(documents.read(RULES))["groups"]
        cls.rules = [rule for group in groups for rule in group["rules"]]

    def test_every_rule_names_a_heading_of_the_runbook(self):
        known = documents.headings(RUNBOOK) | {"{{ $labels.alarm }}"}
        for rule in self.rules:
            page, heading = rule["annotations"]["runbook"].split(": ")
            self.assertEqual(page, RUNBOOK)
            self.assertIn(heading, known, rule["alert"])
            self.assertIn(rule["labels"]["severity"], ("urgent", "routine"))

    def test_every_metric_of_a_rule_is_emitted(self):
        for rule in self.rules:
            self.check(rule["expr"], rule["alert"])

    def test_every_metric_of_the_grafana_dashboard_is_emitted(self):
        dashboard = documents.as_json(documents.read("deploy/grafana/usher.json"))
        expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
        self.assertGreater(len(expressions), 10)
        for expression in expressions:
            self.check(expression, expression)

    def check(self, expression, name):
        families = host_families() | audit_families()
        own = {f"emf_usher_{prometheus_name(metric)}{part}" for metric in printed() for part in ("_sum", "_count")}
        metrics = re.findall(r"\b(?:usher|emf|ticket_audit)_[a-z_]+", expression) or re.findall(r"\bup\b", expression)
        self.assertTrue(metrics, name)
        for metric in metrics:
            base = re.sub("_(bucket|sum|count)$", "", metric)
            self.assertTrue(metric in own or metric in families or base in families or metric == "up", metric)

    def test_the_rules_have_a_counterpart_of_every_metric_alarm(self):
        document = documents.expanded("alarms.yaml")
        text = " ".join(rule["expr"] for rule in self.rules)
        for metric in document["Mappings"]["Metrics"]:
            self.assertIn(f"emf_usher_{prometheus_name(metric)}_sum", text)

    def test_events_are_as_urgent_as_in_the_cloud(self):
        document = documents.template("alarms.yaml")["Resources"]
        routine = set(document["Fn::ForEach::RoutineEvents"][1])
        urgent = set(document["Fn::ForEach::UrgentEvents"][1])
        by_name = {rule["alert"]: set(re.findall(r'alarm[=!]~"([^"]+)"', rule["expr"])) for rule in self.rules}
        lists = by_name["UsherUrgentEvent"] | by_name["UsherRoutineEvent"]
        self.assertEqual(len(lists), 1, "the rules name different lists")
        names = set(lists.pop().split("|"))
        self.assertLessEqual(routine, names)
        self.assertFalse(names & urgent)
        self.assertLessEqual(names - routine, events("runtime/src"))


if __name__ == "__main__":
    unittest.main()
