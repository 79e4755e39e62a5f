"""Every check of checks.py on every combination of combinations.py."""

import itertools
import unittest

import checks
import combinations
from evaluate import Stack
from translated import source, template, translate

SHOWN = 5  # faults of one check that a failure lists


class EveryStack(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.faults = {check.__name__: {} for check in checks.ALL}
        cls.stacks = 0
        for label, parameters in itertools.chain(combinations.every(), combinations.compute()):
            stack = Stack(template(), parameters)
            cls.stacks += 1
            for check in checks.ALL:
                for fault in check(stack):
                    cls.faults[check.__name__].setdefault(fault, label)

    def test_all_combinations_were_evaluated(self):
        every = 2 ** len(combinations.SWITCHES) * len(combinations.KAFKA)
        compute = len(combinations.COMPUTE) ** 2 * 4 * len(combinations.KAFKA)
        self.assertEqual(self.stacks, every + compute)

    def test_each_way_to_reach_kafka_meets_each_network_key_and_login(self):
        seen = set()
        for label, _ in combinations.every():
            switches, *rest = label.split(" ")
            seen.update((at, switches[at], *rest) for at in range(len(switches)))
        switches = itertools.product(range(len(combinations.SWITCHES)), "tf")
        rest = itertools.product(combinations.KAFKA, combinations.VPC, combinations.KMS, combinations.LOGINS)
        missing = [(*switch, *others) for switch, others in itertools.product(switches, rest) if (*switch, *others) not in seen]
        self.assertEqual(missing, [])

    def test_the_translation_is_the_same_for_all_parameters(self):
        """SAM gets the parameters too: the stacks above are evaluated from a translation without them."""
        for parameters in (combinations.one("msk-iam", "vpc", "kms", "tokens"), combinations.one("plaintext", StorefrontEnabled="false")):
            self.assertEqual(translate(source(), parameters)["Resources"], template()["Resources"])


def promise(check):
    def test(self):
        faults = self.faults[check.__name__]
        shown = [f"{fault} (first with {label})" for fault, label in list(faults.items())[:SHOWN]]
        self.assertFalse(faults, "\n" + "\n".join(shown))

    return test


for check in checks.ALL:
    setattr(EveryStack, f"test_{check.__name__}", promise(check))
