"""Each check of checks.py finds the fault that it is for, put into the template on purpose."""

import copy
import json
import unittest

import checks
from combinations import DOMAIN, KEY, PROVIDER, one
from evaluate import Stack
from translated import template

IN_VPC = one("mtls-private-ca", "vpc", "kms", "secrets")
SCRAM = one("scram-512", "vpc", "kms", "secrets")
ON_MSK = one("msk-scram-512", "vpc", "kms", "secrets")


def computed(kinds):
    return one("scram-512", "vpc", "kms", "secrets", **DOMAIN, CapacityProviderArn=PROVIDER, StorefrontCompute=kinds, OrderCreateCompute=kinds)


ON_DEMAND, BOTH, MANAGED = computed("on-demand"), computed("on-demand-and-managed"), computed("managed")

PAYMENT_SECRET = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": {"Ref": "PaymentWebhookSecretArn"}}


def properties(resources, name):
    return resources[name]["Properties"]


def without_policy(name, policy):
    def change(resources):
        role = properties(resources, name)
        role["ManagedPolicyArns"] = [named for named in role["ManagedPolicyArns"] if policy not in str(named)]

    return change


def setting(name, *path, value):
    def change(resources):
        node = properties(resources, name)
        for key in path[:-1]:
            node = node[key]
        if value is None:
            del node[path[-1]]
        else:
            node[path[-1]] = value

    return change


def wider(resources):
    statement = properties(resources, "StreamBridgeRole")["Policies"][1]["PolicyDocument"]["Statement"][0]
    statement["Action"], statement["Resource"] = ["sqs:*"], "*"


def another_action(resources):
    statement = properties(resources, "MigrateRole")["Policies"][0]["PolicyDocument"]["Statement"][0]
    statement["Action"] = ["logs:CreateLogGroup", "logs:PutLogEvents"]


def another_role(resources):
    resources["NewRole"] = copy.deepcopy(resources["MigrateRole"])


def without_denial(resources):
    statements = properties(resources, "NetworkInterfaces")["PolicyDocument"]["Statement"]
    statements[:] = [statement for statement in statements if statement["Effect"] == "Allow"]


def public_route(resources):
    paths = properties(resources, "Api")["Body"]["paths"]
    for path in paths.values():
        methods = path["Fn::If"][1] if "Fn::If" in path else path
        for route in methods.values():
            (route["Fn::If"][1] if "Fn::If" in route else route).pop("security", None)


def any_caller(resources):
    properties(resources, "StorefrontCreateOrderPermission").pop("SourceArn")


def another_api(resources):
    permission = properties(resources, "StorefrontManagedCreateOrderPermission")
    permission["SourceArn"] = properties(resources, "StorefrontCreateOrderPermission")["SourceArn"]


def always(name):
    def change(resources):
        resources[name].pop("Condition")

    return change


def wrong_kind(resources):
    body = properties(resources, "ManagedApi")["Body"]
    text = json.dumps(body).replace("${StorefrontManagedAliaslive}", "${StorefrontAliaslive}")
    properties(resources, "ManagedApi")["Body"] = json.loads(text)


def second_mapping(resources):
    second = resources["SecondMapping"] = copy.deepcopy(resources["OrderCreateOrders"])
    second["Properties"]["FunctionName"] = {"Ref": "OrderCreateManagedAliaslive"}


FAULTS = [
    ("no_value_is_empty", IN_VPC, setting("OrderCreateOrders", "Topics", value=[{"Ref": "RedisGatePassword"}])),
    ("no_value_is_empty", IN_VPC, setting("Traces", "PolicyDocument", "Statement", value=[{"Resource": {"Fn::Sub": "arn:aws:x:${RedisGateArn}"}}])),
    ("each_function_stands_alone", IN_VPC, setting("StorefrontLookups", "Role", value={"Fn::GetAtt": ["StorefrontRole", "Arn"]})),
    ("each_function_stands_alone", IN_VPC, setting("Migrate", "ReservedConcurrentExecutions", value=None)),
    ("each_function_stands_alone", IN_VPC, setting("Migrate", "Runtime", value="provided.al2")),
    ("each_function_stands_alone", IN_VPC, setting("Migrate", "LoggingConfig", "LogGroup", value={"Ref": "ApiLogs"})),
    ("each_function_stands_alone", IN_VPC, setting("Migrate", "LoggingConfig", value=None)),
    ("roles_have_what_they_need_and_no_more", IN_VPC, another_action),
    ("roles_have_what_they_need_and_no_more", IN_VPC, another_role),
    ("roles_have_what_they_need_and_no_more", IN_VPC, without_policy("TimeoutCloserRole", "DatabaseLogin")),
    ("no_role_has_more_than_it_names", IN_VPC, wider),
    ("no_role_has_more_than_it_names", IN_VPC, setting("MigrateRole", "ManagedPolicyArns", value=["arn:aws:iam::aws:policy/ReadOnlyAccess"])),
    ("code_cannot_use_network_interfaces", IN_VPC, without_denial),
    ("queues_have_their_key", IN_VPC, without_policy("TimeoutCloserRole", "QueueKey")),
    ("queues_have_their_key", IN_VPC, without_policy("TimeoutCloserTickRole", "QueueKey")),
    ("queues_have_their_key", IN_VPC, without_policy("StreamBridgeTickRole", "QueueKey")),
    ("queues_have_their_key", IN_VPC, setting("CacheInvalidatorRole", "Policies", value=[])),
    ("queues_have_their_key", IN_VPC, setting("TickDeadLetters", "KmsMasterKeyId", value=None)),
    ("queues_refuse_requests_without_tls", IN_VPC, setting("TickDeadLettersOverTls", "Queues", value=[{"Ref": "ProgramChangedQueue"}])),
    ("events_are_never_dropped_silently", IN_VPC, setting("ProgramChangedQueue", "RedrivePolicy", value=None)),
    ("events_are_never_dropped_silently", IN_VPC, setting("StreamBridgeTick", "Target", "DeadLetterConfig", value=None)),
    ("logs_are_kept_and_encrypted", IN_VPC, setting("ApiLogs", "KmsKeyId", value=None)),
    ("logs_are_kept_and_encrypted", IN_VPC, setting("Migrate", "KmsKeyArn", value=KEY + "2")),
    ("kafka_mappings_are_whole", IN_VPC, setting("OrderCreateOrders", "MaximumRetryAttempts", value=10)),
    ("kafka_mappings_are_whole", IN_VPC, setting("OrderCreateOrders", "SourceAccessConfigurations", value=None)),
    ("kafka_mappings_are_whole", SCRAM, without_policy("OrderCreateRole", "KafkaReader")),
    ("kafka_mappings_are_whole", ON_MSK, without_policy("ApiDataCollectorRole", "SecretsKey")),
    ("kafka_mappings_are_whole", ON_MSK, setting("OrderCreateOrders", "EventSourceArn", value=None)),
    (
        "secrets_are_read_by_whom_they_are_for",
        IN_VPC,
        setting("CacheInvalidator", "Environment", "Variables", "DATABASE_SECRET_ARN", value={"Ref": "DatabaseSecretArn"}),
    ),
    (
        "no_secret_is_a_variable_beside_its_arn",
        IN_VPC,
        setting("Migrate", "Environment", "Variables", "DATABASE_PASSWORD", value={"Ref": "DatabasePassword"}),
    ),
    (
        "no_secret_is_a_variable_beside_its_arn",
        IN_VPC,
        setting("StreamBridge", "Environment", "Variables", "DATABASE_URL", value={"Ref": "DatabaseUrl"}),
    ),
    ("routes_have_an_authorizer", IN_VPC, public_route),
    ("routes_have_an_authorizer", IN_VPC, setting("ApiApiGatewayDefaultStage", "AccessLogSettings", value=None)),
    ("payments_stand_apart", IN_VPC, setting("ApiApiGatewayDefaultStage", "RouteSettings", value=None)),
    ("payments_stand_apart", IN_VPC, setting("StorefrontPayments", "ReservedConcurrentExecutions", value=0)),
    (
        "payments_stand_apart",
        IN_VPC,
        setting("StorefrontOperators", "Environment", "Variables", "PAYMENT_WEBHOOK_SECRET", value={"Ref": "PaymentWebhookSecret"}),
    ),
    ("payments_stand_apart", IN_VPC, setting("TlsMaterial", "PolicyDocument", "Statement", 0, value=PAYMENT_SECRET)),
    ("only_named_callers_invoke", IN_VPC, any_caller),
    ("only_named_callers_invoke", BOTH, another_api),
    ("variants_are_those_that_the_parameter_names", ON_DEMAND, always("OrderCreateManaged")),
    ("variants_are_those_that_the_parameter_names", MANAGED, always("StorefrontLookups")),
    ("variants_run_on_the_capacity_provider", BOTH, setting("StorefrontManaged", "VpcConfig", value={"SubnetIds": ["subnet-0a"]})),
    ("variants_run_on_the_capacity_provider", BOTH, setting("StorefrontManaged", "CapacityProviderConfig", value=None)),
    ("variants_run_on_the_capacity_provider", BOTH, setting("OrderCreateManaged", "FunctionScalingConfig", value={"MaxExecutionEnvironments": 1})),
    ("variants_run_on_the_capacity_provider", BOTH, setting("OrderCreateManaged", "PublishToLatestPublished", value=None)),
    ("variants_are_alike", BOTH, setting("StorefrontPaymentsManaged", "Role", value={"Fn::GetAtt": ["StorefrontRole", "Arn"]})),
    ("variants_are_alike", MANAGED, setting("OrderCreateManaged", "Environment", "Variables", "PAY_WINDOW_SECONDS", value=1)),
    ("each_api_leads_to_functions_of_one_kind", BOTH, wrong_kind),
    ("each_api_leads_to_functions_of_one_kind", BOTH, public_route),
    ("each_api_leads_to_functions_of_one_kind", MANAGED, always("Api")),
    ("one_kind_has_the_traffic", BOTH, setting("OrderCreateOrders", "FunctionName", value={"Ref": "OrderCreateManagedAliaslive"})),
    ("one_kind_has_the_traffic", BOTH, setting("ApiDomainMapping", "ApiId", value={"Ref": "ManagedApi"})),
    ("one_kind_has_the_traffic", BOTH, second_mapping),
]


class Checks(unittest.TestCase):
    def test_each_check_finds_its_fault(self):
        by_name = {check.__name__: check for check in checks.ALL}
        for name, parameters, change in FAULTS:
            check = by_name[name]
            self.assertEqual(list(check(Stack(template(), parameters))), [], name)
            broken = copy.deepcopy(template())
            change(broken["Resources"])
            with self.subTest(name, change=change.__qualname__):
                self.assertTrue(list(check(Stack(broken, parameters))))

    def test_no_check_is_without_a_fault(self):
        self.assertEqual({name for name, _, _ in FAULTS}, {check.__name__ for check in checks.ALL})
