"""Greets each guest whom a record names. A record that cannot be read is reported; its partition resumes there."""

import base64
import json


def handle(event, context):
    failed = []
    for partition, records in event["records"].items():
        for record in records:
            try:
                greet(record)
            except (ValueError, KeyError, TypeError) as error:
                print("offset", record["offset"], "of", partition, "failed:", repr(error))
                failed.append({"itemIdentifier": {"partition": partition, "offset": record["offset"]}})
                break  # What follows in this partition comes again.
    return {"batchItemFailures": failed}


def greet(record):
    guest = json.loads(base64.b64decode(record["value"]))
    print("Hello,", guest["name"])
