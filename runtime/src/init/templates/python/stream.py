"""Greets each guest whom an entry of the stream names. An entry that cannot be read is reported alone."""

import json


def handle(event, context):
    failed = []
    for message in event["Records"]:
        try:
            greet(message)
        except (ValueError, KeyError, TypeError) as error:
            print("entry", message["messageId"], "failed:", repr(error))
            failed.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failed}


def greet(message):
    guest = json.loads(message["body"])["fields"]
    print("Hello,", guest["name"])
