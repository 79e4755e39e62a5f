"""What each role may do, with the call that needs it. A role has exactly these actions on these resources: none more, none fewer.

`call` names the source that makes the call, `FILE: TEXT`, or the service that makes it with the role and the page that says so.
"""

import dataclasses
import itertools
from collections.abc import Callable

LAMBDA_LOGS = 'Lambda, "Sending Lambda function logs to CloudWatch Logs"'
LAMBDA_TRACES = 'Lambda, "Visualize Lambda function invocations using AWS X-Ray"'
LAMBDA_VPC = 'Lambda, "Giving Lambda functions access to resources in an Amazon VPC"'
LAMBDA_KAFKA = 'Lambda, "Configuring Lambda permissions for Amazon MSK event source mappings"'
LAMBDA_OWN_KAFKA = 'Lambda, "Using Lambda with self-managed Apache Kafka", section "Required Lambda function permissions"'
LAMBDA_DEAD_LETTERS = 'Lambda, "Capturing records of Lambda asynchronous invocations", section on dead-letter queues'
LAMBDA_SQS = 'Lambda, "Using Lambda with Amazon SQS", section "Configuring execution role permissions"'
SQS_KEYS = 'SQS, "Amazon SQS key management", section "Configuring AWS KMS permissions"'
S3_KEYS = 'S3, "Using server-side encryption with AWS KMS keys (SSE-KMS)", section "Permissions"'
SCHEDULER = 'EventBridge Scheduler, "Setting up the execution role" and "Configuring a dead-letter queue"'
CODEDEPLOY = 'CodeDeploy, "Create a service role for CodeDeploy", section on the Lambda compute platform'
MSK_IAM = 'MSK, "Semantics of IAM authorization policy actions and resources"'
SECRETS = "settings: a secret by its ARN is read by the function"
TOKENS = "settings: a token is signed by the function"


@dataclasses.dataclass(frozen=True)
class Need:
    """Actions on resources. Braces in a resource hold parameters of the stack; double ones are logical ids, as in evaluate.py."""

    call: str
    actions: tuple
    resources: tuple
    when: Callable = lambda stack: True

    def pairs(self, known):
        return itertools.product(self.actions, [resource.format_map(known) for resource in self.resources])


def given(parameter):
    return lambda stack: stack.parameters[parameter] != ""


def shares(parameter, *others):
    """Migrate has no login of its own, and a parameter of the other functions is given."""
    own = ("MigrateDatabaseSecretArn", *others)
    return lambda stack: stack.parameters[parameter] != "" and not any(stack.parameters[name] for name in own)


def condition(name):
    return lambda stack: stack.condition(name)


def stored(parameter, call=SECRETS):
    """A secret or a parameter of Systems Manager, whichever the ARN names."""
    return Need(call, ("secretsmanager:GetSecretValue", "ssm:GetParameter"), ("{" + parameter + "}",), given(parameter))


def secret(parameter, when, call=SECRETS):
    return Need(call, ("secretsmanager:GetSecretValue",), ("{" + parameter + "}",), when)


def redis(name):
    resources = ("{" + name + "Arn}", USERS + ":user:{" + name + "User}", USERS.replace("elasticache", "memorydb") + ":user/{" + name + "User}")
    return [stored(f"{name}SecretArn"), Need(TOKENS, ("elasticache:Connect", "memorydb:Connect"), resources, condition(f"{name}Iam"))]


def interfaces(when):
    return [
        Need(
            LAMBDA_VPC,
            (
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:AssignPrivateIpAddresses",
                "ec2:UnassignPrivateIpAddresses",
            ),
            ("arn:aws:ec2:{Region}:*:*/*",),
            when,
        ),
        Need(LAMBDA_VPC, ("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"), ("*",), when),
    ]


def function(name):
    return [
        Need(LAMBDA_LOGS, ("logs:CreateLogStream", "logs:PutLogEvents"), ("{{" + name + "Logs.Arn}}",)),
        Need(LAMBDA_TRACES, ("xray:PutTraceSegments", "xray:PutTelemetryRecords"), ("*",)),
        *interfaces(given("VpcSubnetA")),
        secret("TlsCaSecretArn", given("TlsCaSecretArn")),
        secret("TlsCertificateSecretArn", given("TlsCertificateSecretArn")),
        Need(SECRETS, ("kms:Decrypt",), ("{SecretsKeyArn}",), given("SecretsKeyArn")),
    ]


def reader(topic, group):
    """Pollers of a Kafka mapping."""
    topic = "{KafkaTopics}/{EnvPrefix}-" + topic
    group = "{KafkaGroups}/{EnvPrefix}-" + group
    return [
        secret("KafkaSecretArn", condition("HasKafkaSecret"), LAMBDA_OWN_KAFKA),
        secret("TlsCertificateSecretArn", condition("KafkaMtls"), LAMBDA_OWN_KAFKA),
        secret("TlsCaSecretArn", condition("KafkaPrivateCa"), LAMBDA_OWN_KAFKA),
        *interfaces(condition("NeedsInterfaces")),
        Need(LAMBDA_OWN_KAFKA, ("ec2:DescribeVpcs", "ec2:DescribeSecurityGroups"), ("*",), condition("NeedsInterfaces")),
        Need(LAMBDA_KAFKA, ("kafka:DescribeClusterV2", "kafka:GetBootstrapBrokers"), ("{KafkaClusterArn}",), condition("OnMsk")),
        Need(
            LAMBDA_KAFKA,
            ("kafka-cluster:Connect", "kafka-cluster:DescribeClusterDynamicConfiguration"),
            ("{KafkaClusterArn}",),
            condition("KafkaIam"),
        ),
        Need(LAMBDA_KAFKA, ("kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"), (topic,), condition("KafkaIam")),
        Need(LAMBDA_KAFKA, ("kafka-cluster:DescribeGroup", "kafka-cluster:AlterGroup"), (group,), condition("KafkaIam")),
    ]


def sends(queue, call):
    """Sends to a queue, under the key if there is one."""
    return [
        Need(call, ("sqs:SendMessage",), ("{{" + queue + ".Arn}}",)),
        Need(SQS_KEYS, ("kms:GenerateDataKey", "kms:Decrypt"), ("{KmsKeyArn}",), given("KmsKeyArn")),
    ]


def tick(name, queue):
    return [Need(SCHEDULER, ("lambda:InvokeFunction",), ("{{" + name + "Aliaslive}}",)), *sends(queue, SCHEDULER)]


def moves(names):
    """Moves the aliases of functions, and looks at alarms."""
    functions = [f"arn:aws:lambda:{{Region}}:{{Account}}:function:{{EnvPrefix}}-{name}" for name in names]
    aliases = [f"{function}:live" for function in functions]
    return [
        Need(CODEDEPLOY, ("cloudwatch:DescribeAlarms",), ("*",)),
        Need(
            CODEDEPLOY,
            ("lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"),
            (*functions, *aliases),
        ),
    ]


# Functions that exist on demand and on managed instances.
VARIANTS = ["storefront", "storefront-lookups", "storefront-payments", "storefront-operators", "order-create"]
USERS = "arn:aws:elasticache:{Region}:{Account}"
DATABASE_USER = "arn:aws:rds-db:{Region}:{Account}:dbuser:{DatabaseResourceId}/{DatabaseUser}"
DATABASE = [stored("DatabaseSecretArn"), Need(TOKENS, ("rds-db:connect",), (DATABASE_USER,), condition("DatabaseIam"))]
# Login of Migrate: its own, or that of the other functions.
OWNER = [
    stored("MigrateDatabaseSecretArn"),
    Need(SECRETS, ("secretsmanager:GetSecretValue", "ssm:GetParameter"), ("{DatabaseSecretArn}",), shares("DatabaseSecretArn")),
    Need(TOKENS, ("rds-db:connect",), (DATABASE_USER,), shares("DatabaseResourceId", "MigrateDatabaseUser")),
    Need(TOKENS, ("rds-db:connect",), (DATABASE_USER.replace("{DatabaseUser}", "{MigrateDatabaseUser}"),), condition("HasMigrateTokens")),
]
FILES = "functions/api-data-collector/src/files/store.rs"
CALL_FILES = "arn:aws:s3:::{ApiFilesBucket}/{EnvPrefix}/api-calls/*"
GATE, CACHE, OTLP = redis("RedisGate"), redis("RedisCache"), [stored("OtlpHeadersSecretArn")]
WRITER = [
    secret("KafkaSecretArn", condition("KafkaWriterSecret")),
    # functions/storefront/src/kafka/config.rs: the producer is idempotent.
    Need(MSK_IAM, ("kafka-cluster:Connect", "kafka-cluster:WriteDataIdempotently"), ("{KafkaClusterArn}",), condition("KafkaIam")),
    Need(
        MSK_IAM,
        ("kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"),
        ("{KafkaTopics}/{EnvPrefix}-{OrdersTopic}", "{KafkaTopics}/{EnvPrefix}-{ApiCallsTopic}"),
        condition("KafkaIam"),
    ),
]


def storefront(name):
    return [*function(name), *DATABASE, *GATE, *CACHE, *WRITER, *OTLP]


ROLES = {
    "StorefrontRole": storefront("Storefront"),
    "StorefrontLookupsRole": storefront("StorefrontLookups"),
    "StorefrontPaymentsRole": [*storefront("StorefrontPayments"), stored("PaymentWebhookSecretArn")],
    "StorefrontOperatorsRole": storefront("StorefrontOperators"),
    "OrderCreateRole": [*function("OrderCreate"), *DATABASE, *GATE, *OTLP, *reader("{OrdersTopic}", "order-create")],
    "ApiDataCollectorRole": [
        *function("ApiDataCollector"),
        *DATABASE,
        *reader("{ApiCallsTopic}", "api-data-collector"),
        Need(f"{FILES}: put_opts", ("s3:PutObject",), (CALL_FILES,), condition("HasApiFilesBucket")),
        Need(f"{FILES}: get_opts", ("s3:GetObject",), (CALL_FILES,), condition("HasApiFilesBucket")),
        Need(f"{FILES}: delete_stream", ("s3:DeleteObject",), (CALL_FILES,), condition("HasApiFilesBucket")),
        Need(f"{FILES}: list", ("s3:ListBucket",), ("arn:aws:s3:::{ApiFilesBucket}",), condition("HasApiFilesBucket")),
        Need(S3_KEYS, ("kms:GenerateDataKey", "kms:Decrypt"), ("{KmsKeyArn}",), condition("HasApiFilesKey")),
    ],
    "TimeoutCloserRole": [
        *function("TimeoutCloser"),
        *DATABASE,
        *GATE,
        *CACHE,
        *OTLP,
        stored("RefundSecretArn"),
        *sends("TickDeadLetters", LAMBDA_DEAD_LETTERS),
    ],
    "TimeoutCloserTickRole": tick("TimeoutCloser", "TickDeadLetters"),
    "StreamBridgeRole": [
        *function("StreamBridge"),
        *CACHE,
        *sends("ProgramChangedQueue", "shared/src/sqs/queue.rs: send_message_batch"),
        *sends("StreamBridgeDeadLetters", LAMBDA_DEAD_LETTERS),
    ],
    "StreamBridgeTickRole": tick("StreamBridge", "StreamBridgeDeadLetters"),
    "CacheInvalidatorRole": [
        *function("CacheInvalidator"),
        *CACHE,
        Need(LAMBDA_SQS, ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"), ("{{ProgramChangedQueue.Arn}}",)),
        Need(SQS_KEYS, ("kms:Decrypt",), ("{KmsKeyArn}",), given("KmsKeyArn")),
    ],
    "MigrateRole": [*function("Migrate"), *OWNER],
    "DeliveryRole": moves(
        [*(f"{name}{variant}" for name in VARIANTS for variant in ("", "-managed")), "api-data-collector"]
    ),
}

# Actions that support no resource, per "Service Authorization Reference".
WITHOUT_RESOURCE = {
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ec2:DescribeSecurityGroups",
    "cloudwatch:DescribeAlarms",
}


def pairs(role, stack):
    """Action and resource of all that a role may do."""
    cluster = stack.parameters["KafkaClusterArn"]
    known = stack.parameters | {
        "Region": stack.parameters["AWS::Region"],
        "Account": stack.parameters["AWS::AccountId"],
        "KafkaTopics": cluster.replace(":cluster/", ":topic/"),
        "KafkaGroups": cluster.replace(":cluster/", ":group/"),
    }
    return {pair for need in ROLES[role] if need.when(stack) for pair in need.pairs(known)}
