"""Prints the names in the schema of aws-sam-translator, one a line: `type NAME`, `global NAME`, `event KIND`, `property OWNER NAME`."""

from samtranslator.internal.schema_source import schema

SCHEMA = schema.get_schema(schema.SamModel)
DEFINITIONS = SCHEMA["definitions"]


def resolve(node):
    if "$ref" in node:
        return DEFINITIONS[node["$ref"].rsplit("/", 1)[-1]]
    return resolve(node["allOf"][0]) if "allOf" in node else node


def properties(node):
    return resolve(node.get("properties", {}).get("Properties", {})).get("properties", {})


def main():
    for name in resolve(SCHEMA["properties"]["Globals"])["properties"]:
        print("global", name)
    for name, definition in DEFINITIONS.items():
        if not name.endswith("__Resource") or "any_cfn" in name:
            continue
        (kind,) = definition["properties"]["Type"]["enum"]
        print("type", kind)
        for key, value in properties(definition).items():
            print("property", kind, key)
            if kind == "AWS::Serverless::Function" and key == "Events":
                for reference in resolve(value)["additionalProperties"]["anyOf"]:
                    event = resolve(reference)
                    for event_kind in event["properties"]["Type"]["enum"]:
                        print("event", event_kind)
                        for name_of_property in properties(event):
                            print("property", event_kind, name_of_property)


main()
