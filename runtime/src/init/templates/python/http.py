"""Answers GET /%FOLDER%?name=Ada."""

import json


def handle(event, context):
    name = event.get("queryStringParameters", {}).get("name", "world")
    print("a greeting for", name)
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"message": f"Hello, {name}"}),
    }
