import json
import pathlib
import unittest

from handler import handle

EVENTS = pathlib.Path(__file__).parents[2] / "events" / "%FOLDER%"


def failed(file):
    event = json.loads((EVENTS / file).read_text())
    return [item["itemIdentifier"] for item in handle(event, None)["batchItemFailures"]]


class Messages(unittest.TestCase):
    def test_a_good_message_is_done(self):
        self.assertEqual(failed("one.json"), [])

    def test_a_bad_message_fails_alone(self):
        self.assertEqual(failed("one-bad.json"), ["%BAD_ID%"])


if __name__ == "__main__":
    unittest.main()
