"""Prints the functions of a SAM template that cargo-lambda builds, one a line: `FUNCTION BINARY`."""

import sys

from samcli.yamlhelper import yaml_parse


def main(path):
    with open(path, encoding="utf-8") as template:
        resources = yaml_parse(template.read())["Resources"]
    for name, resource in resources.items():
        metadata = resource.get("Metadata", {}) if isinstance(resource, dict) else {}
        if metadata.get("BuildMethod") == "rust-cargolambda":
            print(name, metadata["BuildProperties"]["Binary"])


main(*sys.argv[1:])
