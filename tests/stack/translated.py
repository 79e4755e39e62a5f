"""template.yaml, translated by what `sam deploy` and the service use: aws-sam-translator. No account is needed."""

import functools
import logging
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")
# SAM counts what it translates and warns when it sends the counts nowhere.
logging.getLogger("samtranslator").setLevel(logging.ERROR)


class NoManagedPolicies:
    """SAM's names of AWS' managed policies; the template uses none."""

    def load(self):
        return {}


def source(file="template.yaml"):
    """A template as it is written, with its functions' code in a bucket, as `sam package` leaves it."""
    from samtranslator.yaml_helper import yaml_parse

    template = yaml_parse((ROOT / file).read_text(encoding="utf-8"))
    for resource in template["Resources"].values():
        if "CodeUri" in resource.get("Properties", {}):
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    return template


def translate(template, parameters=None):
    from samtranslator.translator.transform import transform

    return transform(template, parameters or {}, NoManagedPolicies())


@functools.cache
def template():
    return translate(source())
