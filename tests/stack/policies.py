"""Roles of a stack with the statements of all their policies."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Permission:
    """One action of one statement."""

    effect: str
    action: str
    resources: tuple
    condition: dict = dataclasses.field(hash=False, compare=False)


def listed(value):
    return value if isinstance(value, list) else [value]


def own(policy):
    """Whether a managed policy is one of the template."""
    return policy.startswith("{")


def statements(role, stack):
    """Statements of a role's own policies and of the managed policies that it names."""
    documents = [policy["PolicyDocument"] for policy in role.get("Policies", [])]
    for named in filter(own, role.get("ManagedPolicyArns", [])):
        documents.append(stack.resources[named.strip("{}")]["Properties"]["PolicyDocument"])
    return [statement for document in documents for statement in document["Statement"]]


def permissions(role, stack):
    return [
        Permission(statement["Effect"], action, tuple(listed(statement["Resource"])), statement.get("Condition", {}))
        for statement in statements(role, stack)
        for action in listed(statement["Action"])
    ]


def roles(stack):
    """Permissions of every role, by its name."""
    return {name: permissions(role, stack) for name, role in stack.of_type("AWS::IAM::Role").items()}


def allows(found, action, resource):
    return any(p.effect == "Allow" and p.action == action and resource in p.resources for p in found)


def role_of(function):
    """Logical id of a function's role."""
    return function["Role"].removeprefix("{").removesuffix(".Arn}")
