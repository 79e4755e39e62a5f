"""What the functions of template.yaml read, from the file that tests/settings keeps."""

import functools
import json

from translated import ROOT, source

SETTINGS = ROOT / "tests" / "settings" / "settings.json"


@functools.cache
def read():
    return json.loads(SETTINGS.read_text(encoding="utf-8"))


@functools.cache
def declared():
    return source()["Resources"]


def program(name):
    """Binary of a function, by its logical id."""
    return declared()[name]["Metadata"]["BuildProperties"]["Binary"]


def settings(name):
    """Variables of a function with their bounds, by its logical id."""
    request_class = declared()[name]["Properties"].get("Environment", {}).get("Variables", {}).get("REQUEST_CLASS")
    return read()[f"{program(name)} {request_class}" if request_class else program(name)]
