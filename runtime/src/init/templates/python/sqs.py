"""Greets each guest whom a message names. A message that cannot be read is reported alone."""

import json


def handle(event, context):
    failed = []
    for message in event["Records"]:
        try:
            greet(message)
        except (ValueError, KeyError, TypeError) as error:
            print("message", message["messageId"], "failed:", repr(error))
            failed.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failed}


def greet(message):
    guest = json.loads(message["body"])
    print("Hello,", guest["name"])
