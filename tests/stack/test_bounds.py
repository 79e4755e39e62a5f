"""The bounds and defaults of the template's numbers equal those of the functions that read them.

tests/settings keeps a file of what the functions accept.
"""

import unittest

import functions
from translated import source

# Bounds of Lambda, API Gateway or another service, which are narrower than what the function accepts; or a value that the template leaves open.
OTHERWISE = {
    "FUNCTION_TIMEOUT_SECONDS": "a function's timeout has a lower bound of its own in the template",
    "STOREFRONT_CONCURRENCY": "the account's quota bounds the concurrency",
}

# Defaults that differ on purpose.
OTHER_DEFAULTS = {"API_CALL_FLUSH_MS": "the template's is for Lambda, which freezes processes; the function's for a process that runs on"}


def numbers(template):
    """Function, variable and parameter of every number that the template passes on."""
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        variables = shared | resource["Properties"].get("Environment", {}).get("Variables", {})
        for variable, value in variables.items():
            parameter = template["Parameters"].get(value.get("Ref", "")) if isinstance(value, dict) else None
            if parameter and parameter["Type"] == "Number":
                yield name, variable, value["Ref"], parameter


class Bounds(unittest.TestCase):
    def setUp(self):
        self.template = source()

    def test_the_bounds_of_a_number_equal_those_of_the_code(self):
        compared = set()
        for function, variable, name, parameter in numbers(self.template):
            read = functions.settings(function).get(variable)
            if read is None or "minimum" not in read or variable in OTHERWISE:
                continue
            with self.subTest(function=function, parameter=name):
                found = [parameter.get("MinValue"), parameter.get("MaxValue")]
                self.assertEqual(found, [int(read["minimum"]), int(read["maximum"])])
            compared.add(variable)
        self.assertGreater(len(compared), 30)

    def test_other_bounds_are_within_those_of_the_code(self):
        compared = set()
        for function, variable, name, parameter in numbers(self.template):
            if variable in OTHERWISE:
                read = functions.settings(function)[variable]
                with self.subTest(function=function, parameter=name):
                    self.assertGreaterEqual(parameter["MinValue"], int(read["minimum"]))
                    self.assertLessEqual(parameter.get("MaxValue", 1000), int(read["maximum"]))
                compared.add(variable)
        self.assertEqual(compared, set(OTHERWISE))

    def test_the_default_of_a_number_equals_that_of_the_code(self):
        for function, variable, name, parameter in numbers(self.template):
            read = functions.settings(function).get(variable, {})
            if "default" in read and "Default" in parameter and variable not in OTHERWISE | OTHER_DEFAULTS:
                with self.subTest(function=function, parameter=name):
                    self.assertEqual(str(parameter["Default"]), read["default"])
