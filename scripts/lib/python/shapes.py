"""Prints the kind of value that each property of a SAM template takes: crates/sam-template/src/template/shapes/shapes.txt.

The properties come from the JSON schema of aws-sam-translator. What that package passes through to CloudFormation is looked up in the
resource schemas that cfn-lint ships. Both packages are pinned in requirements.txt.

A line is `PATH KINDS`. A path begins with the definition and goes down by property name; `*` is any key of a mapping, `[]` an item of a
list. Kinds are text, number, flag, list and map, joined by `|`; a `!` says that an empty one is refused; `any` where the schemas leave
the kind open.
"""

import json
import re
from importlib.metadata import version
from pathlib import Path

import cfnlint
from samtranslator.internal.schema_source import schema
from samtranslator.model import sam_resources
from samtranslator.model.eventsources import cloudwatchlogs, pull, push, scheduler

SCHEMAS = Path(cfnlint.__file__).parent / "data" / "schemas"
REGION = json.loads((SCHEMAS / "providers" / "us-east-1.json").read_text())
KINDS = {"string": "text", "number": "number", "integer": "number", "boolean": "flag", "array": "list", "object": "map"}
# Resources that the host reads; Globals are merged into the first three.
SERVERLESS = ["Function", "HttpApi", "Api"]
CLOUDFORMATION = [
    "AWS::ApiGatewayV2::Api",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::SQS::Queue",
]
SAM = schema.get_schema(schema.SamModel)
DEEPEST = 12


class Document:
    """A schema with definitions of its own."""

    def __init__(self, root):
        self.root = root

    def resolve(self, reference):
        node = self.root
        for key in reference.removeprefix("#/").split("/"):
            node = node[key]
        return node


SAM_DOCUMENT = Document(SAM)
PROVIDERS = {}


def provider(name):
    if name not in PROVIDERS:
        PROVIDERS[name] = Document(json.loads((SCHEMAS / "resources" / f"{REGION[name]}.json").read_text()))
    return PROVIDERS[name]


def passed_through(path):
    """The resource schema that a pass-through property names, or None."""
    names = [part for part in path[1:] if part != "properties"]
    kind, _, definition = names[0].partition(".")
    if kind not in REGION:
        return None
    document = provider(kind)
    if definition:
        node = document.root["definitions"].get(definition)
        rest = names[1:]
    else:
        node, rest = document.root, names[2:]
    for name in rest:
        while node and "$ref" in node:
            node = document.resolve(node["$ref"])
        node = (node or {}).get("properties", {}).get(name)
    return node and (document, node)


WORDS = {
    "string": "string",
    "timestamp": "string",
    "integer": "integer",
    "double": "number",
    "float": "number",
    "boolean": "boolean",
    "list": "array",
    "map": "object",
}


def documentation(node):
    return node.get("markdownDescription") or node.get("__samPassThrough", {}).get("markdownDescriptionOverride", "")


def linked(node):
    """The resource schema of the property of the same name that the documentation says a property is passed to, or None."""
    found = re.search(r"passed directly to the \[`(\w+)`\].*? property of an? `(AWS::\w+::\w+)`", documentation(node))
    if not found or found.group(1) != node.get("title"):
        return None
    return passed_through(["definitions", found.group(2), "properties", "Properties", "properties", found.group(1)])


def documented(node):
    """What SAM's documentation says, for what no schema describes: `String | [Structure](link)`."""
    text = documentation(node)
    found = re.search(r"\*Type\*: *(.+?)(?:  \n|$)", text, re.S)
    if not found:
        return []
    kinds = []
    for part in re.split(r"\\\$1|\\?\|", re.sub(r"\(http[^)]*\)", "", found.group(1))):
        word = re.match(r"\W*(\w+)", part)
        word = word.group(1) if word else ""
        if word.lower() in WORDS:
            kinds.append(WORDS[word.lower()])
        elif word.lower() == "json" or not word:
            return []
        elif word.endswith("Arn"):
            kinds.append("string")
        else:
            kinds.append("object")  # a structure with a page of its own
    return [{"type": kind} for kind in kinds]


def undescribed(document, node):
    found = linked(node)
    return alternatives(*found) if found else [(document, kind) for kind in documented(node)]


def alternatives(document, node):
    """The node as pairs of document and schema, without references and unions."""
    if "$ref" in node:
        if node["$ref"].endswith("/PassThroughProp"):
            return []
        return alternatives(document, document.resolve(node["$ref"]))
    if "__samPassThrough" in node:
        found = passed_through(node["__samPassThrough"]["schemaPath"])
        if found:
            return alternatives(*found)
    for union in ("anyOf", "oneOf"):
        if union in node and "properties" not in node:
            several = node[union]
            # SAM writes "a function call, or ..." as a bare object that comes first.
            if document is SAM_DOCUMENT and len(several) > 1 and several[0] == {"type": "object"}:
                several = several[1:]
            own = [dict(one, type=one.get("type", node.get("type"))) if "$ref" not in one else one for one in several]
            return [pair for one in own for pair in alternatives(document, one)]
    if "allOf" in node and "properties" not in node:
        found = [pair for one in node["allOf"] for pair in alternatives(document, one)]
        if found:
            return found
        return undescribed(document, node)
    if "enum" in node and not node.get("type"):
        node = dict(node, type="string" if all(isinstance(value, str) for value in node["enum"]) else None)
    if not node.get("type") and "properties" in node:
        node = dict(node, type="object")
    if not node.get("type"):
        return undescribed(document, node)
    types = [node["type"]] if isinstance(node["type"], str) else node["type"]
    return [(document, dict(node, type=one)) for one in types if one in KINDS]


def walk(path, document, node, lines):
    found = alternatives(document, node)
    kinds = sorted({kind_of(one) for _, one in found}) or ["any"]
    if "any" in kinds:
        kinds = ["any"]
    lines[path] = kinds = merge(lines.get(path), kinds)
    if path.count("/") > DEEPEST or kinds == ["any"]:
        return
    for owner, one in found:
        if one["type"] == "array" and isinstance(one.get("items"), dict):
            walk(path + "[]", owner, one["items"], lines)
        if one["type"] == "object":
            for name, value in one.get("properties", {}).items():
                if name == "Events" and path.startswith("AWS::Serverless::"):
                    events(value, lines)
                    lines[f"{path}/Events"] = ["map"]
                else:
                    walk(f"{path}/{name}", owner, value, lines)
            values = list(one.get("patternProperties", {}).values())
            if isinstance(one.get("additionalProperties"), dict):
                values.append(one["additionalProperties"])
            for value in values:
                walk(path + "/*", owner, value, lines)


def kind_of(one):
    """The kind's name; with a `!` where an empty text or list is refused."""
    kind = KINDS[one["type"]]
    least = {"text": "minLength", "list": "minItems"}.get(kind)
    return kind + "!" if least and one.get(least, 0) > 0 else kind


def merge(before, kinds):
    both = sorted(set(before or []) | set(kinds))
    both = [kind for kind in both if not (kind.endswith("!") and kind[:-1] in both)]
    return ["any"] if "any" in both else both


def events(node, lines):
    """The kinds of events are told apart by their Type."""
    for reference in node["additionalProperties"]["anyOf"]:
        event = SAM_DOCUMENT.resolve(reference["$ref"])["properties"]
        for kind in event["Type"]["enum"]:
            walk(f"event:{kind}", SAM_DOCUMENT, event.get("Properties", {"type": "object"}), lines)
            # what a mapping reads with is passed to CloudFormation under the same name
            mapping = provider("AWS::Lambda::EventSourceMapping")
            for name, model in mapping.root["properties"].items():
                if hasattr(pull, kind) and lines.get(f"event:{kind}/{name}") == ["any"]:
                    del lines[f"event:{kind}/{name}"]
                    walk(f"event:{kind}/{name}", mapping, model, lines)
            for module in (push, pull, cloudwatchlogs, scheduler):
                widen(f"event:{kind}", getattr(module, "EventBridgeScheduler" if kind == "ScheduleV2" else kind, None), lines)


def widen(path, model, lines):
    """Adds the kinds that SAM's own check of a property lets pass and its schema leaves out."""
    samples = {"text": "x", "number": 1, "list": ["x"]}
    for name, rule in getattr(model, "property_types", {}).items():
        path_of = f"{path}/{name}"
        if path_of not in lines or not rule.validate:
            continue
        taken = [kind for kind, sample in samples.items() if rule.validate(sample, should_raise=False)]
        if len(taken) < len(samples):
            lines[path_of] = merge(lines[path_of], [kind for kind in taken if kind + "!" not in lines[path_of]])


# What SAM's code takes beside what its schema says: model/api/api_generator.py, model/apigateway.py, swagger/swagger.py,
# model/preferences/deployment_preference_collection.py.
ALSO = {
    r"/Domain/BasePath$": ["text"],
    r"/UserPoolArn$": ["list"],
    r"/ResourcePolicy/AwsAccount\w+$": ["map"],
    r"/ResourcePolicy/IpRange\w+$": ["text"],
    r"/ResourcePolicy/CustomStatements$": ["map"],
    r"/DeploymentPreference/Alarms\[\]$": ["text"],
}


def other(name):
    """What cfn-lint says of a section of the template."""
    return Document(json.loads((SCHEMAS / "other" / name / "configuration.json").read_text()))


def main():
    lines = {}
    models = {name.removeprefix("samtranslator__internal__schema_source__"): model for name, model in SAM["definitions"].items()}
    for kind in SERVERLESS:
        model = models[f"aws_serverless_{kind.lower()}__Resource"]
        walk(f"AWS::Serverless::{kind}", SAM_DOCUMENT, model["properties"]["Properties"], lines)
        widen(f"AWS::Serverless::{kind}", getattr(sam_resources, f"Sam{kind}"), lines)
        walk(f"Globals/{kind}", SAM_DOCUMENT, models[f"aws_serverless_{kind.lower()}__Globals"], lines)
        widen(f"Globals/{kind}", getattr(sam_resources, f"Sam{kind}"), lines)
    for kind in CLOUDFORMATION:
        root = provider(kind).root
        for computed in root.get("readOnlyProperties", []):
            root["properties"].pop(computed.removeprefix("/properties/"), None)
        walk(kind, provider(kind), dict(root, type="object"), lines)
    for section in ["Parameters", "Mappings", "Outputs", "Resources"]:
        document = other(section.lower())
        walk(section, document, document.root, lines)
    for section, model in other("template").root["properties"].items():
        if "type" in model:
            walk(section, other("template"), model, lines)
    walk("Description", other("template"), {"type": "string"}, lines)
    # what cfn-lint checks in rules of its own, by CloudFormation's pages about resource attributes and outputs
    for attribute in ("Metadata", "Properties", "UpdatePolicy"):
        lines[f"Resources/*/{attribute}"] = ["map"]
    for path in ("Resources/*/DeletionPolicy", "Resources/*/UpdateReplacePolicy", "Outputs/*/Value", "Outputs/*/Export/Name"):
        lines[path] = ["text"]
    for path, kinds in lines.items():
        for pattern, more in ALSO.items():
            if re.search(pattern, path):
                lines[path] = merge(kinds, more)
    packages = " and ".join(f"{name} {version(name)}" for name in ("aws-sam-translator", "cfn-lint"))
    print(f"# Generated by scripts/shapes from {packages}; not edited by hand.")
    for path, kinds in sorted(lines.items()):
        print(path, "|".join(kinds))


if __name__ == "__main__":
    main()
