"""What holds in every stack. A check yields what is wrong, each as one text."""

import allowed
import managed
from policies import allows, listed, own, role_of, roles

# The functions take an empty variable for one that is not given; this one is a parameter as it is.
MAY_BE_EMPTY = ("Environment", "Variables", "OTEL_EXPORTER_OTLP_ENDPOINT")
INTERFACE = "ec2:CreateNetworkInterface"


def leaves(node, path=()):
    if isinstance(node, dict):
        for key, item in node.items():
            yield from leaves(item, (*path, key))
    elif isinstance(node, list):
        for at, item in enumerate(node):
            yield from leaves(item, (*path, at))
    else:
        yield path, node


def no_value_is_empty(stack):
    for name, resource in stack.resources.items():
        for path, value in leaves(resource.get("Properties", {})):
            if value in ("", None) and path != MAY_BE_EMPTY:
                yield f"{name}.{'.'.join(map(str, path))} is empty"
            # An empty parameter inside a text leaves two separators.
            elif isinstance(value, str) and value.startswith("arn:") and value.endswith((":", "/")):
                yield f"{name}.{'.'.join(map(str, path))} is cut: {value}"
    for name, output in stack.outputs.items():
        if output["Value"] == "":
            yield f"output {name} is empty"


def function_of(stack, reference):
    """Properties of the function that a mapping or a schedule names, by its alias."""
    return stack.resources[reference.strip("{}").removesuffix("Aliaslive")]["Properties"]


def each_function_stands_alone(stack):
    """Own role, own log group that the role may write to, limited concurrency, traces. A variant on managed instances has the role and the
    log group of the function for which it stands in."""
    taken = {}
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        if "LoggingConfig" not in function:
            yield f"{name} has no log group of its own"
            continue
        role, group = role_of(function), function["LoggingConfig"]["LogGroup"].strip("{}")
        for what in (role, group):
            if taken.setdefault(what, managed.on_demand(name)) != managed.on_demand(name):
                yield f"{name} and {taken[what]} share {what}"
        if not allows(roles(stack)[role], "logs:PutLogEvents", f"{{{group}.Arn}}"):
            yield f"{role} may not write to {group}"
        if "ReservedConcurrentExecutions" not in function and "MaxExecutionEnvironments" not in function.get("FunctionScalingConfig", {}):
            yield f"{name} has no limit of its concurrency"
        if function["TracingConfig"] != {"Mode": "Active"}:
            yield f"{name} is not traced"
        if function["Runtime"] != "provided.al2023":
            yield f"{name} has an old runtime"


def roles_have_what_they_need_and_no_more(stack):
    for name, found in roles(stack).items():
        if name not in allowed.ROLES:
            yield f"{name} has no list in allowed.py"
            continue
        has = {(p.action, resource) for p in found if p.effect == "Allow" for resource in p.resources}
        wanted = allowed.pairs(name, stack)
        for action, resource in has - wanted:
            yield f"{name} may {action} on {resource}, and nothing calls it"
        for action, resource in wanted - has:
            yield f"{name} may not {action} on {resource}"


def no_role_has_more_than_it_names(stack):
    for name, found in roles(stack).items():
        for permission in found:
            if permission.effect == "Allow" and "*" in permission.action:
                yield f"{name} may {permission.action}"
            if permission.effect == "Allow" and "*" in permission.resources and permission.action not in allowed.WITHOUT_RESOURCE:
                yield f"{name} may {permission.action} on everything"
    for name, role in stack.of_type("AWS::IAM::Role").items():
        for policy in role.get("ManagedPolicyArns", []):
            if not own(policy):
                yield f"{name} has {policy}, whose actions AWS may add to"


def code_cannot_use_network_interfaces(stack):
    for name, found in roles(stack).items():
        if not any(p.action == INTERFACE and p.effect == "Allow" for p in found):
            continue
        denials = [p for p in found if p.action == INTERFACE and p.effect == "Deny" and p.resources == ("*",)]
        of = [p.condition.get("ArnLike", {}).get("lambda:SourceFunctionArn", "") for p in denials]
        if not any(pattern.endswith(f":function:{stack.parameters['EnvPrefix']}-*") for pattern in of):
            yield f"the code of {name} may make network interfaces"


def senders(stack):
    """Queue and role of all that sends: functions, their dead letters, schedules."""
    functions = stack.of_type("AWS::Lambda::Function")
    for function in functions.values():
        if "DeadLetterConfig" in function:
            yield function["DeadLetterConfig"]["TargetArn"], role_of(function)
    for schedule in stack.of_type("AWS::Scheduler::Schedule").values():
        target = schedule["Target"]
        yield target["DeadLetterConfig"]["Arn"], target["RoleArn"].removeprefix("{").removesuffix(".Arn}")
    for function in functions.values():
        queue = function.get("Environment", {}).get("Variables", {}).get("QUEUE_URL")
        if queue:
            yield queue.replace("}", ".Arn}"), role_of(function)


def receivers(stack):
    for mapping in stack.of_type("AWS::Lambda::EventSourceMapping").values():
        source = mapping.get("EventSourceArn", "")
        if source.startswith("{"):
            yield source, role_of(function_of(stack, mapping["FunctionName"]))


def queues_have_their_key(stack):
    key, found = stack.parameters["KmsKeyArn"], roles(stack)
    for name, queue in stack.of_type("AWS::SQS::Queue").items():
        if queue.get("KmsMasterKeyId", "") != key or queue.get("SqsManagedSseEnabled") not in (None if key else True,):
            yield f"{name} is not encrypted as it should be"
    for queue, role in senders(stack):
        if not allows(found[role], "sqs:SendMessage", queue):
            yield f"{role} may not send to {queue}"
        for action in ("kms:GenerateDataKey", "kms:Decrypt"):
            if key and not allows(found[role], action, key):
                yield f"{role} sends to {queue} without {action}"
    for queue, role in receivers(stack):
        if not allows(found[role], "sqs:ReceiveMessage", queue):
            yield f"{role} may not receive from {queue}"
        if key and not allows(found[role], "kms:Decrypt", key):
            yield f"{role} receives from {queue} without kms:Decrypt"


def queues_refuse_requests_without_tls(stack):
    safe = set()
    for policy in stack.of_type("AWS::SQS::QueuePolicy").values():
        for statement in policy["PolicyDocument"]["Statement"]:
            plain = statement.get("Condition") == {"Bool": {"aws:SecureTransport": False}}
            if statement["Effect"] == "Deny" and statement["Principal"] == "*" and statement["Action"] == "sqs:*" and plain:
                safe.update(f"{{{queue.strip('{}')}.Arn}}" for queue in policy["Queues"] if statement["Resource"] == f"{{{queue.strip('{}')}.Arn}}")
    for name in stack.of_type("AWS::SQS::Queue"):
        if f"{{{name}.Arn}}" not in safe:
            yield f"{name} accepts requests without TLS"


def events_are_never_dropped_silently(stack):
    """A queue that is read has dead letters, and so has a function that is invoked asynchronously."""
    queues = stack.of_type("AWS::SQS::Queue")
    for source, _ in receivers(stack):
        if "RedrivePolicy" not in queues[source.removeprefix("{").removesuffix(".Arn}")]:
            yield f"{source} has no dead letters"
    for name, schedule in stack.of_type("AWS::Scheduler::Schedule").items():
        function = function_of(stack, schedule["Target"]["Arn"])
        if "DeadLetterConfig" not in schedule["Target"] or "DeadLetterConfig" not in function:
            yield f"{name} has no dead letters"


def logs_are_kept_and_encrypted(stack):
    for name, group in stack.of_type("AWS::Logs::LogGroup").items():
        if group.get("KmsKeyId", "") != stack.parameters["KmsKeyArn"]:
            yield f"{name} is not under the key"
        if "RetentionInDays" not in group:
            yield f"{name} is kept for ever"
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        if function.get("KmsKeyArn", "") != stack.parameters["KmsKeyArn"]:
            yield f"variables of {name} are not under the key"


def kafka_mappings_are_whole(stack):
    found, key = roles(stack), stack.parameters["SecretsKeyArn"]
    for name, mapping in stack.of_type("AWS::Lambda::EventSourceMapping").items():
        own, msk = "SelfManagedEventSource" in mapping, ":kafka:" in mapping.get("EventSourceArn", "")
        if "Topics" not in mapping:
            continue
        if own == msk or msk != bool(stack.parameters["KafkaClusterArn"]):
            yield f"{name} has not exactly one source"
        config = mapping.get("SelfManagedKafkaEventSourceConfig" if own else "AmazonManagedKafkaEventSourceConfig", {})
        if not config.get("ConsumerGroupId", "").startswith(stack.parameters["EnvPrefix"] + "-"):
            yield f"{name} has no consumer group of its own"
        # With a destination Lambda ends after ten attempts; an age or a count ends them as well.
        if mapping.get("DestinationConfig") or (mapping["MaximumRetryAttempts"], mapping["MaximumRecordAgeInSeconds"]) != (-1, -1):
            yield f"{name} gives records up"
        if mapping["StartingPosition"] != "TRIM_HORIZON" or "ProvisionedPollerConfig" not in mapping:
            yield f"{name} skips records, or has no provisioned pollers"
        role = role_of(function_of(stack, mapping["FunctionName"]))
        access = mapping.get("SourceAccessConfigurations", [])
        for item in access:
            if not item["Type"].startswith("VPC_") and not allows(found[role], "secretsmanager:GetSecretValue", item["URI"]):
                yield f"{role} may not read {item['URI']} for {name}"
            if key and not allows(found[role], "kms:Decrypt", key):
                yield f"{role} has no key of {item['URI']}"
        logins = [item["Type"] for item in access if item["Type"].endswith("_AUTH")]
        if len(logins) != (stack.condition("KafkaSasl") or stack.condition("KafkaMtls")):
            yield f"{name} has the logins {logins}"


def secrets_are_read_by_whom_they_are_for(stack):
    """The role of a function that has the ARN of a secret among its variables may read that secret, and its key if it has one."""
    found, key = roles(stack), stack.parameters["SecretsKeyArn"]
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        for variable, value in function.get("Environment", {}).get("Variables", {}).items():
            if not variable.endswith("_SECRET_ARN") or not value:
                continue
            action = "ssm:GetParameter" if ":ssm:" in value else "secretsmanager:GetSecretValue"
            if not allows(found[role_of(function)], action, value):
                yield f"{name} may not read the secret of {variable}"
            if key and not allows(found[role_of(function)], "kms:Decrypt", key):
                yield f"{name} has no key for the secret of {variable}"


# Variables that hold a secret, and the variable with the ARN of a secret that takes their place.
SECRET_VARIABLES = {
    "DATABASE_PASSWORD": "DATABASE_SECRET_ARN",
    "REDIS_GATE_PASSWORD": "REDIS_GATE_SECRET_ARN",
    "REDIS_CACHE_PASSWORD": "REDIS_CACHE_SECRET_ARN",
    "KAFKA_USERNAME": "KAFKA_SECRET_ARN",
    "KAFKA_PASSWORD": "KAFKA_SECRET_ARN",
    "PAYMENT_WEBHOOK_SECRET": "PAYMENT_WEBHOOK_SECRET_ARN",
    "PAYMENT_WEBHOOK_SECRET_NEXT": "PAYMENT_WEBHOOK_SECRET_ARN",
    "OTEL_EXPORTER_OTLP_HEADERS": "OTEL_EXPORTER_OTLP_HEADERS_SECRET_ARN",
}


def no_secret_is_a_variable_beside_its_arn(stack):
    """Where a secret is given by ARN, its content is not a variable as well. A function that reads no PostgreSQL has none of its variables."""
    for name, function in stack.of_type("AWS::Lambda::Function").items():
        variables = function.get("Environment", {}).get("Variables", {})
        for plain, arn in SECRET_VARIABLES.items():
            if plain in variables and arn in variables:
                yield f"{name} has {plain} beside {arn}"
        of_database = sorted(variable for variable in variables if variable.startswith("DATABASE_") or variable == "DB_CONNECTIONS")
        if name in ("CacheInvalidator", "StreamBridge") and of_database:
            yield f"{name} has {of_database}"


# Routes without a token. The first carries a signature of its own; the others are public.
OPEN = {("post", "/payments"), ("get", "/programs/{id}"), ("get", "/programs/{id}/seats")}


def routes_have_an_authorizer(stack):
    for api in stack.of_type("AWS::ApiGatewayV2::Api").values():
        for path, methods in api["Body"]["paths"].items():
            for method, route in methods.items():
                names = [next(iter(security)) for security in route.get("security", [])]
                if ((method, path) in OPEN) == ("Buyers" in names):
                    yield f"{method} {path} has the authorizers {names}"
    for name, stage in stack.of_type("AWS::ApiGatewayV2::Stage").items():
        if "AccessLogSettings" not in stage:
            yield f"{name} logs no access"
        for setting in ("ThrottlingBurstLimit", "ThrottlingRateLimit"):
            if setting not in stage["DefaultRouteSettings"]:
                yield f"{name} is not throttled"


def payments_stand_apart(stack):
    """Concurrency, limits and the key of the provider are of the function of payments alone."""
    functions, found = stack.of_type("AWS::Lambda::Function"), roles(stack)
    for name, function in functions.items():
        of_payments = managed.on_demand(name) == "StorefrontPayments"
        keys = [variable for variable in function.get("Environment", {}).get("Variables", {}) if variable.startswith("PAYMENT_WEBHOOK_")]
        if bool(keys) != of_payments:
            yield f"{name} has {keys or 'no key of the provider'}"
        arn = stack.parameters["PaymentWebhookSecretArn"]
        if arn and not of_payments and any(arn in permission.resources for permission in found[role_of(function)]):
            yield f"{name} may read the key of the provider"
        if name == "StorefrontPayments" and int(function["ReservedConcurrentExecutions"]) < 1:
            yield f"{name} has no concurrency of its own"
    for name, stage in stack.of_type("AWS::ApiGatewayV2::Stage").items():
        limits = stage.get("RouteSettings", {}).get("POST /payments", {})
        if [limits.get("ThrottlingRateLimit"), limits.get("ThrottlingBurstLimit")] != [stack.parameters["PaymentsRate"], stack.parameters["PaymentsBurst"]]:
            yield f"{name} has no limits for payments"


def only_named_callers_invoke(stack):
    """A function is invoked by its API, its queue, its topic or its schedule."""
    for name, permission in stack.of_type("AWS::Lambda::Permission").items():
        api = "{ManagedApi}" if managed.END in permission["FunctionName"] else "{Api}"
        if api not in permission.get("SourceArn", ""):
            yield f"{name} lets other callers invoke than {api}"
    for name, role in stack.of_type("AWS::IAM::Role").items():
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            services = listed(statement["Principal"].get("Service", []))
            if services == ["scheduler.amazonaws.com"] and "aws:SourceAccount" not in str(statement.get("Condition")):
                yield f"{name} is assumed for schedules of other accounts"
            if len(services) != 1:
                yield f"{name} is assumed by {statement['Principal']}"


ALL = [
    no_value_is_empty,
    each_function_stands_alone,
    roles_have_what_they_need_and_no_more,
    no_role_has_more_than_it_names,
    code_cannot_use_network_interfaces,
    queues_have_their_key,
    queues_refuse_requests_without_tls,
    events_are_never_dropped_silently,
    logs_are_kept_and_encrypted,
    kafka_mappings_are_whole,
    secrets_are_read_by_whom_they_are_for,
    no_secret_is_a_variable_beside_its_arn,
    routes_have_an_authorizer,
    payments_stand_apart,
    only_named_callers_invoke,
    *managed.ALL,
]
