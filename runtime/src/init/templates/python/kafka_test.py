import json
import pathlib
import unittest

from handler import handle

EVENTS = pathlib.Path(__file__).parents[2] / "events" / "%FOLDER%"


def failed(file):
    event = json.loads((EVENTS / file).read_text())
    return [item["itemIdentifier"] for item in handle(event, None)["batchItemFailures"]]


class Records(unittest.TestCase):
    def test_a_good_record_is_done(self):
        self.assertEqual(failed("one.json"), [])

    def test_a_partition_resumes_at_its_unreadable_record(self):
        self.assertEqual(failed("one-bad.json"), [{"partition": "%PROJECT%-%FOLDER%-0", "offset": 8}])


if __name__ == "__main__":
    unittest.main()
