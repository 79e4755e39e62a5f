"""Runs when the schedule fires."""


def handle(event, context):
    print("Hello at", event["time"])
