"""samconfig.toml against the parameters of template.yaml."""

import tomllib
import unittest

import documents


class Environments(unittest.TestCase):
    def test_each_environment_sets_parameters_that_the_template_allows(self):
        parameters = documents.template("template.yaml")["Parameters"]
        environments = tomllib.loads(documents.read("samconfig.toml"))
        prefixes = set()
        for name in ("default", "stage", "prod"):
            given = dict(p.split("=", 1) for p in environments[name]["deploy"]["parameters"]["parameter_overrides"])
            prefixes.add(given["EnvPrefix"])
            for key, value in given.items():
                self.assertIn(key, parameters, name)
                allowed = parameters[key].get("AllowedValues")
                if allowed:
                    self.assertIn(value, [str(one) for one in allowed], f"{name}: {key}")
                if "MinValue" in parameters[key]:
                    self.assertGreaterEqual(int(value), parameters[key]["MinValue"], f"{name}: {key}")
        self.assertEqual(len(prefixes), 3, "two environments share a prefix")

    def builds(self):
        for name, environment in tomllib.loads(documents.read("samconfig.toml")).items():
            if isinstance(environment, dict):
                yield name, environment.get("build", {}).get("parameters", {})

    def test_a_build_includes_sources_outside_of_a_functions_folder(self):
        for name, parameters in self.builds():
            self.assertFalse(parameters.get("cached", False), name)

    def test_two_builds_never_write_the_same_file_at_once(self):
        for name, parameters in self.builds():
            self.assertFalse(parameters.get("parallel", False), name)

    def test_a_deployment_to_production_waits_for_alarms_and_a_person(self):
        prod = tomllib.loads(documents.read("samconfig.toml"))["prod"]["deploy"]["parameters"]
        self.assertTrue(prod["confirm_changeset"])
        self.assertNotIn("DeploymentType=AllAtOnce", prod["parameter_overrides"])


if __name__ == "__main__":
    unittest.main()
