import contextlib
import io
import json
import pathlib
import unittest

from handler import handle

EVENTS = pathlib.Path(__file__).parents[2] / "events" / "%FOLDER%"


class Ticks(unittest.TestCase):
    def test_the_line_has_the_time_of_the_tick(self):
        event = json.loads((EVENTS / "one.json").read_text())
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            handle(event, None)
        self.assertEqual(printed.getvalue(), "Hello at 2026-01-01T00:00:00Z\n")

    def test_an_event_without_a_time_fails(self):
        with self.assertRaises(KeyError):
            handle({}, None)


if __name__ == "__main__":
    unittest.main()
