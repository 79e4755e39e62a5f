"""Evaluates a CloudFormation template as the service does: parameters, Rules, Conditions, intrinsic functions.

A reference to a resource becomes a text with the resource's logical id, `{Id}` or `{Id.Attribute}`, so that checks can follow it. A reference
to a resource that a condition leaves out is an error, as it is on the service.
"""

import base64
import re

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::StackName": "stack",
    "AWS::StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/stack/1",
    "AWS::URLSuffix": "amazonaws.com",
}
NOTHING = object()  # AWS::NoValue


class Refused(Exception):
    """The service would refuse the stack; the text says why."""


class Stack:
    """A template with values for its parameters. Resources are evaluated when the stack is made."""

    def __init__(self, template, given):
        self.template = template
        self.parameters = parameters(template, given)
        self.declared = template.get("Conditions", {})
        self.conditions = {}
        broken = broken_rules(template.get("Rules", {}), self)
        if broken:
            raise Refused("; ".join(broken))
        self.kept = {
            name: resource
            for name, resource in template["Resources"].items()
            if "Condition" not in resource or self.condition(resource["Condition"])
        }
        self.resources = {name: self.value(resource) for name, resource in self.kept.items()}
        outputs = template.get("Outputs", {})
        self.outputs = {
            name: self.value(output)
            for name, output in outputs.items()
            if "Condition" not in output or self.condition(output["Condition"])
        }

    def of_type(self, kind):
        return {name: resource["Properties"] for name, resource in self.resources.items() if resource["Type"] == kind}

    def condition(self, name):
        if name not in self.conditions:
            if name not in self.declared:
                raise Refused(f"condition {name} is not declared")
            self.conditions[name] = truth(self.declared[name], self)
        return self.conditions[name]

    def value(self, node):
        if isinstance(node, dict):
            if len(node) == 1:
                ((key, argument),) = node.items()
                if key == "Ref" or key.startswith("Fn::"):
                    return self.call(key, argument)
            pairs = ((key, self.value(item)) for key, item in node.items())
            return {key: item for key, item in pairs if item is not NOTHING}
        if isinstance(node, list):
            items = (self.value(item) for item in node)
            return [item for item in items if item is not NOTHING]
        return node

    def call(self, name, argument):
        match name:
            case "Ref":
                return self.reference(argument)
            case "Fn::If":
                return self.value(argument[1] if self.condition(argument[0]) else argument[2])
            case "Fn::Sub":
                text, names = argument if isinstance(argument, list) else (argument, {})
                return re.sub(r"\$\{(!?)([^}]+)\}", lambda found: self.substitute(found, names), text)
            case "Fn::GetAtt":
                resource, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
                return self.attribute(resource, attribute)
            case "Fn::Join":
                return argument[0].join(texts(self.value(argument[1])))
            case "Fn::Split":
                return self.value(argument[1]).split(argument[0])
            case "Fn::Select":
                return self.value(argument[1])[int(argument[0])]
            case "Fn::GetAZs":
                return [PSEUDO["AWS::Region"] + zone for zone in "abc"]
            case "Fn::Cidr":
                block, count, bits = self.value(argument)
                return [f"{block} subnet {at} of {bits} bits" for at in range(int(count))]
            case "Fn::Base64":
                return base64.b64encode(str(self.value(argument)).encode()).decode()
        raise Refused(f"{name} is not evaluated here")

    def substitute(self, found, names):
        literal, name = found.groups()
        if literal:
            return "${" + name + "}"
        if name in names:
            return str(self.value(names[name]))
        resource, dot, attribute = name.partition(".")
        return str(self.attribute(resource, attribute) if dot else self.reference(name))

    def reference(self, name):
        if name == "AWS::NoValue":
            return NOTHING
        if name in self.parameters:
            return self.parameters[name]
        if name in PSEUDO:
            return PSEUDO[name]
        return self.attribute(name, "")

    def attribute(self, name, attribute):
        if name not in self.kept:
            raise Refused(f"{name} is referred to and does not exist")
        return "{" + name + (f".{attribute}" if attribute else "") + "}"


def texts(items):
    return [str(item) for item in items]


def parameters(template, given):
    """Values of all parameters, each within its bounds."""
    unknown = given.keys() - template["Parameters"].keys()
    if unknown:
        raise Refused(f"no such parameters: {', '.join(sorted(unknown))}")
    values = dict(PSEUDO)
    for name, declared in template["Parameters"].items():
        if name not in given and "Default" not in declared:
            raise Refused(f"{name} has no value")
        values[name] = within(name, declared, given.get(name, declared.get("Default")))
    return values


def within(name, declared, value):
    text = str(value)
    if declared["Type"] == "Number":
        number = float(text)
        if number < declared.get("MinValue", number) or number > declared.get("MaxValue", number):
            raise Refused(f"{name} is {text}, out of its bounds")
    elif len(text) < declared.get("MinLength", 0):
        raise Refused(f"{name} is too short")
    if "AllowedValues" in declared and text not in texts(declared["AllowedValues"]):
        raise Refused(f"{name} is {text}, which is not allowed")
    if "AllowedPattern" in declared and not re.fullmatch(declared["AllowedPattern"], text):
        raise Refused(f"{name} is {text}, which does not match {declared['AllowedPattern']}")
    return text


def broken_rules(rules, stack):
    """What the assertions of the rules that apply say."""
    applied = [rule for rule in rules.values() if truth(rule.get("RuleCondition", True), stack)]
    assertions = [assertion for rule in applied for assertion in rule["Assertions"]]
    return [assertion["AssertDescription"] for assertion in assertions if not truth(assertion["Assert"], stack)]


def truth(node, stack):
    """A condition, or the condition or an assertion of a rule."""
    if isinstance(node, bool):
        return node
    ((name, argument),) = node.items()
    match name:
        case "Condition":
            return stack.condition(argument)
        case "Fn::Equals":
            return str(stack.value(argument[0])) == str(stack.value(argument[1]))
        case "Fn::Not":
            return not truth(argument[0], stack)
        case "Fn::And":
            return all([truth(side, stack) for side in argument])
        case "Fn::Or":
            return any([truth(side, stack) for side in argument])
        case "Fn::Contains":
            return str(stack.value(argument[1])) in texts(stack.value(argument[0]))
    raise Refused(f"{name} is no condition")
