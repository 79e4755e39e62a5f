"""The mappings of Kafka and the permissions of their pollers, for each way to reach the brokers: one file each under golden/.

`scripts/stack --write` writes the files again.
"""

import json
import os
import unittest
from pathlib import Path

import combinations
import policies
from evaluate import Stack
from translated import template

FOLDER = Path(__file__).parent / "golden"
MAPPINGS = {"OrderCreateOrders": "OrderCreateRole", "ApiDataCollectorCalls": "ApiDataCollectorRole"}
# Permissions of every function, whatever the brokers are.
COMMON = ("logs:", "xray:")


def shown(stack):
    resources = stack.resources
    return {
        mapping: {
            "mapping": resources[mapping]["Properties"],
            "statements": [
                statement
                for statement in policies.statements(resources[role]["Properties"], stack)
                if not policies.listed(statement["Action"])[0].startswith(COMMON)
            ],
        }
        for mapping, role in MAPPINGS.items()
    }


class KafkaMappings(unittest.TestCase):
    maxDiff = None

    def test_each_way_to_reach_kafka_has_its_file(self):
        for kafka in combinations.KAFKA:
            for vpc in combinations.VPC:
                # MSK's network is known to the service: the mapping is the same in a VPC.
                name = kafka if vpc == "outside" else f"{kafka}-{vpc}"
                file = FOLDER / f"{name}.json"
                text = json.dumps(shown(Stack(template(), combinations.one(kafka, vpc))), indent=1) + "\n"
                if os.environ.get("WRITE_GOLDEN"):
                    file.write_text(text, encoding="utf-8")
                with self.subTest(name):
                    self.assertEqual(json.loads(file.read_text(encoding="utf-8")), json.loads(text))

    def test_no_file_is_left_over(self):
        names = {kafka + end for kafka in combinations.KAFKA for end in ("", "-vpc")}
        self.assertEqual({file.stem for file in FOLDER.glob("*.json")}, names)

    def test_both_mappings_reach_kafka_alike(self):
        for kafka in combinations.KAFKA:
            found = shown(Stack(template(), combinations.one(kafka, "vpc")))
            orders, calls = (found[mapping]["mapping"] for mapping in MAPPINGS)
            for key in ("EventSourceArn", "SelfManagedEventSource", "SourceAccessConfigurations"):
                self.assertEqual(orders.get(key), calls.get(key), kafka)
