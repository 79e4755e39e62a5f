"""docs/reference/capacity.md has the numbers that follow from the templates, and they fit into the quotas that it names."""

import re
import unittest

import capacity
import documents


class Capacity(unittest.TestCase):
    def test_the_page_has_the_computed_tables(self):
        page = capacity.PAGE.read_text(encoding="utf-8")
        self.assertEqual(page, capacity.written(page), "run python tests/stack/capacity.py")

    def test_the_defaults_fit_into_a_new_account_and_a_new_cluster(self):
        reserved, postgres, *_ = capacity.totals()
        self.assertLessEqual(reserved, 1_000 - 100)
        # Twice, while a new version takes over; 5,000 at the default capacity of infra.yaml.
        self.assertLessEqual(2 * postgres, 5_000)
        parameters = documents.template("infra.yaml")["Parameters"]
        self.assertGreaterEqual(parameters["DatabaseMaxCapacity"]["Default"], 32)
        self.assertGreater(parameters["DatabaseMinCapacity"]["Default"], 0.5)

    def test_the_defaults_of_managed_instances_fit_each_other(self):
        """CloudFormation compares no numbers."""
        values = {name: p.get("Default") for name, p in documents.template("template.yaml")["Parameters"].items()}
        maxima = {name.removesuffix("ManagedMaximum"): value for name, value in values.items() if name.endswith("ManagedMaximum")}
        self.assertEqual(len(maxima), 5)
        for name, maximum in maxima.items():
            self.assertGreaterEqual(maximum, values["ManagedMinimum"], name)
            # As many events at a time as on demand; of storefront's, a part may wait.
            self.assertGreaterEqual(maximum * values[f"{name}ManagedConcurrency"], values[f"{name}Concurrency"], name)

    def test_every_function_is_counted_where_its_program_connects(self):
        # Variables of a function name the servers that it reads; Globals have the database for all.
        resources = documents.template("template.yaml")["Resources"]
        for name, *_ in capacity.functions():
            variables = set(resources[name]["Properties"].get("Environment", {}).get("Variables", {}))
            self.assertEqual("REDIS_GATE_URL" in variables, name in capacity.GATE, name)
            self.assertEqual("REDIS_CACHE_URL" in variables, name in capacity.CACHE, name)
            self.assertEqual("KAFKA_BROKERS" in variables, name in capacity.KAFKA, name)
        opens = {name for path, text in documents.sources("functions") if re.search(r"Store::connect|CallStore::connect|::connect\(\s*settings.database|database", text) for name in [path.parts[-3]]}
        programs = {"Storefront": "storefront", "OrderCreate": "order-create", "ApiDataCollector": "api-data-collector", "TimeoutCloser": "timeout-closer"}
        self.assertEqual(opens - {"migrate"}, set(programs.values()))


if __name__ == "__main__":
    unittest.main()
