"""deploy/: units, manifests and the image against the host's command line and the template."""

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import documents
import yaml

UNITS = ["usher.service", "usher-migrate.service", "ticket-audit.service", "ticket-audit.timer"]


def manifests(name):
    return list(yaml.safe_load_all(documents.read(f"deploy/kubernetes/{name}.yaml")))


def longest_timeout():
    """Seconds of the function that may take longest, of those that a drain waits for."""
    template = documents.template("template.yaml")
    names = [f["Properties"]["Timeout"]["Ref"] for k, f in template["Resources"].items() if f["Type"] == "AWS::Serverless::Function" and k != "Migrate"]
    return max(int(template["Parameters"][name]["Default"]) for name in names)


class Machines(unittest.TestCase):
    def options(self, command, words):
        """Every option is one of the program's command line: of the host, or of the audit."""
        audit = words[0].endswith("/ticket-audit")
        source = documents.read("operator/audit/src/cli.rs" if audit else "runtime/src/cli/arguments.rs")
        known = {name.replace("_", "-") for name in re.findall(r"^\s+pub\((?:super|crate)\) (\w+):", source, re.M)}
        for word in words:
            if word.startswith("--"):
                self.assertIn(word.removeprefix("--"), known, command)

    def test_units_are_valid(self):
        analyze = shutil.which("systemd-analyze")
        self.assertIsNotNone(analyze, "systemd-analyze is not installed: scripts/stack installs it")
        with tempfile.TemporaryDirectory() as folder:
            for unit in UNITS:
                # The program is not installed where this test runs.
                text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", documents.read(f"deploy/systemd/{unit}"), flags=re.M)
                Path(folder, unit).write_text(text, encoding="utf-8")
            for unit in UNITS:
                done = subprocess.run([analyze, "verify", Path(folder, unit)], capture_output=True, text=True, check=False)
                self.assertEqual((done.returncode, done.stderr), (0, ""), unit)

    def test_commands_exist(self):
        for unit in UNITS:
            commands = re.findall(r"^ExecStart=(.*)$", documents.read(f"deploy/systemd/{unit}"), re.M)
            self.assertEqual(len(commands), int(unit.endswith(".service")), unit)
            for command in commands:
                self.options(command, command.split())
        for document in (*manifests("usher"), *manifests("migrate")):
            for container in self.containers(document):
                if container["image"].startswith("usher:"):
                    self.options(container["name"], container["args"])
        (command,) = re.findall(r"^CMD (.*)$", documents.read("deploy/container/Containerfile"), re.M)
        self.options(command, documents.as_json(command))

    def containers(self, document):
        return document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []) if "template" in document.get("spec", {}) else []

    def test_a_drain_is_never_cut_short(self):
        longest = longest_timeout()
        (stop,) = re.findall(r"^TimeoutStopSec=(\d+)$", documents.read("deploy/systemd/usher.service"), re.M)
        self.assertGreater(int(stop), longest + 30)
        (hosts,) = [d for d in manifests("usher") if d["kind"] == "StatefulSet"]
        self.assertGreater(hosts["spec"]["template"]["spec"]["terminationGracePeriodSeconds"], longest + 30)

    def test_processes_have_no_rights_that_they_do_not_need(self):
        for document in (*manifests("usher"), *manifests("migrate")):
            for container in self.containers(document):
                pod = document["spec"]["template"]["spec"]
                self.assertIs(pod["securityContext"]["runAsNonRoot"], True)
                self.assertIs(pod["automountServiceAccountToken"], False)
                context = container["securityContext"]
                self.assertIs(context["readOnlyRootFilesystem"], True, container["name"])
                self.assertIs(context["allowPrivilegeEscalation"], False, container["name"])
                self.assertEqual(context["capabilities"], {"drop": ["ALL"]}, container["name"])
                self.assertIn("memory", container["resources"]["limits"], container["name"])
        self.assertRegex(documents.read("deploy/container/Containerfile"), r"(?m)^USER 10001")

    def test_names_of_one_manifest_are_those_of_the_others(self):
        (hosts,) = [d for d in manifests("usher") if d["kind"] == "StatefulSet"]
        (scaled, login) = manifests("scaling")
        self.assertEqual(scaled["spec"]["scaleTargetRef"]["name"], hosts["metadata"]["name"])
        kafka = scaled["spec"]["triggers"][0]
        self.assertEqual(kafka["authenticationRef"]["name"], login["metadata"]["name"])
        # The topic and the group of order-create have one prefix, as in the template.
        template = documents.template("template.yaml")
        group = template["Resources"]["OrderCreateOrders"]["Properties"]["SelfManagedKafkaEventSourceConfig"]
        self.assertIn("${EnvPrefix}-order-create", str(group))
        self.assertEqual(kafka["metadata"]["consumerGroup"], "prod-order-create")
        self.assertEqual(kafka["metadata"]["topic"], f"prod-{template['Parameters']['OrdersTopic']['Default']}")
        # What scales and what disturbs never leaves fewer hosts than a majority of the smallest number.
        (budget,) = [d for d in manifests("usher") if d["kind"] == "PodDisruptionBudget"]
        self.assertLess(budget["spec"]["maxUnavailable"], scaled["spec"]["minReplicaCount"] / 2)
        self.assertEqual(scaled["spec"]["minReplicaCount"], hosts["spec"]["replicas"])

    def test_the_image_has_the_compiler_of_the_checkout(self):
        (image,) = re.findall(r"^FROM \S+/rust:([\d.]+)-", documents.read("deploy/container/Containerfile"), re.M)
        (channel,) = re.findall(r'^channel *= *"([\d.]+)"', documents.read("rust-toolchain.toml"), re.M)
        self.assertTrue(channel.startswith(image), (image, channel))


if __name__ == "__main__":
    unittest.main()
