"""Reads what the tests of this folder compare: CloudFormation templates, sources, headings."""

import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


class Loader(yaml.SafeLoader):
    """YAML with the short forms of CloudFormation's functions."""


def _function(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _function)


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def template(path):
    """A template as written."""
    return yaml.load(read(path), Loader)  # noqa: S506, a SafeLoader


def expanded(path):
    """A template with its Fn::ForEach written out (AWS::LanguageExtensions)."""
    document = template(path)
    document["Resources"] = _expand(document["Resources"])
    return document


def _expand(resources):
    out = {}
    for key, value in resources.items():
        if not key.startswith("Fn::ForEach::"):
            out[key] = value
            continue
        name, items, body = value
        for item in items:
            copies = _replaced(body, name, item)
            repeated = out.keys() & copies.keys()
            assert not repeated, f"{key} makes {repeated} twice"
            out.update(copies)
    return out


def _replaced(node, name, item):
    if isinstance(node, dict):
        if node == {"Ref": name}:
            return item
        return {_replaced(k, name, item): _replaced(v, name, item) for k, v in node.items()}
    if isinstance(node, list):
        return [_replaced(entry, name, item) for entry in node]
    if isinstance(node, str):
        plain = re.sub("[^A-Za-z0-9]", "", item)
        return node.replace(f"${{{name}}}", item).replace(f"&{{{name}}}", plain)
    return node


def text(node, document, parameters):
    """The text of a value that Sub, Ref and FindInMap make."""
    if isinstance(node, str):
        return node
    if "Ref" in node:
        return parameters[node["Ref"]]
    if "Fn::FindInMap" in node:
        found = document["Mappings"]
        for key in node["Fn::FindInMap"]:
            found = found[text(key, document, parameters)]
        return found
    body = node["Fn::Sub"]
    if isinstance(body, list):
        body, names = body
        parameters = parameters | {k: text(v, document, parameters) for k, v in names.items()}
    return re.sub(r"\$\{([^}!]+)\}", lambda match: str(parameters[match[1]]), body)


def sources(*folders):
    """Text of the Rust sources below these folders, without tests: path and text."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.rs")):
            inside = path.relative_to(ROOT).parts
            if "tests" in inside or "target" in inside or path.stem.endswith("tests"):
                continue
            yield path, path.read_text(encoding="utf-8").split("#[cfg(test)]\nmod ")[0]


def headings(path):
    """Headings of the third level. One may name several things, separated by commas."""
    found = re.findall(r"^### (.+)$", read(path), re.M)
    return {name for heading in found for name in heading.split(", ")}


def as_json(text):
    return json.loads(text)
