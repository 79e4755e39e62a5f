import json
import pathlib
import unittest

from handler import handle

EVENTS = pathlib.Path(__file__).parents[2] / "events" / "%FOLDER%"


def message(event):
    response = handle(event, None)
    assert response["statusCode"] == 200
    return json.loads(response["body"])["message"]


class Requests(unittest.TestCase):
    def test_the_sample_request_is_greeted_by_name(self):
        event = json.loads((EVENTS / "one.json").read_text())
        self.assertEqual(message(event), "Hello, Ada")

    def test_a_request_without_a_name_is_greeted(self):
        self.assertEqual(message({}), "Hello, world")


if __name__ == "__main__":
    unittest.main()
