//! What `Ref` and `Fn::GetAtt` yield for each type of resource that templates commonly name.
//!
//! The source is the section "Return values" of the type's page in `CloudFormation`'s template reference. A type that is not
//! listed yields `STACK-ID` for `Ref`, since its identifier is made by the service.

/// Return values of one type.
#[derive(Debug)]
pub(super) struct Returns {
    /// The type.
    pub(super) kind: &'static str,
    /// Property by which the template names the resource; empty where none does.
    pub(super) property: &'static str,
    /// What `Ref` yields.
    pub(super) reference: &'static str,
    /// What `Fn::GetAtt` yields, by attribute.
    pub(super) attributes: &'static [(&'static str, &'static str)],
}

const NAME: &str = "{name}";

/// Type, naming property, `Ref`, attributes. In a pattern `{name}` is the resource's name, `{region}`, `{account}`, `{partition}`
/// and `{suffix}` are those of the stack, `{function}` is the bare name of `FunctionName`, any other brace a property of the
/// resource. `@SERVICE:REST` is an ARN of the stack's partition, region and account.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const ROWS: [Row; 68] = [
    ("AWS::ApiGateway::ApiKey", "", NAME, &[]),
    (
        "AWS::Athena::WorkGroup",
        "Name",
        NAME,
        &[("Arn", "@athena:workgroup/{name}")],
    ),
    (
        "AWS::Backup::BackupVault",
        "BackupVaultName",
        NAME,
        &[("BackupVaultArn", "@backup:backup-vault:{name}")],
    ),
    (
        "AWS::Batch::JobQueue",
        "JobQueueName",
        "@batch:job-queue/{name}",
        &[("JobQueueArn", "@batch:job-queue/{name}")],
    ),
    (
        "AWS::CloudTrail::Trail",
        "TrailName",
        NAME,
        &[("Arn", "@cloudtrail:trail/{name}")],
    ),
    (
        "AWS::CloudWatch::Alarm",
        "AlarmName",
        NAME,
        &[("Arn", "@cloudwatch:alarm:{name}")],
    ),
    (
        "AWS::CodeBuild::Project",
        "Name",
        NAME,
        &[("Arn", "@codebuild:project/{name}")],
    ),
    (
        "AWS::CodePipeline::Pipeline",
        "Name",
        NAME,
        &[("Arn", "@codepipeline:{name}")],
    ),
    ("AWS::DynamoDB::GlobalTable", "TableName", NAME, TABLE),
    ("AWS::DynamoDB::Table", "TableName", NAME, TABLE),
    (
        "AWS::ECR::Repository",
        "RepositoryName",
        NAME,
        &[
            ("Arn", "@ecr:repository/{name}"),
            (
                "RepositoryUri",
                "{account}.dkr.ecr.{region}.{suffix}/{name}",
            ),
        ],
    ),
    (
        "AWS::ECS::Cluster",
        "ClusterName",
        NAME,
        &[("Arn", "@ecs:cluster/{name}")],
    ),
    (
        "AWS::ElastiCache::ReplicationGroup",
        "ReplicationGroupId",
        NAME,
        &[],
    ),
    (
        "AWS::ElastiCache::ServerlessCache",
        "ServerlessCacheName",
        NAME,
        &[("ARN", "@elasticache:serverlesscache:{name}")],
    ),
    (
        "AWS::Elasticsearch::Domain",
        "DomainName",
        NAME,
        &[
            ("Arn", "@es:domain/{name}"),
            ("DomainArn", "@es:domain/{name}"),
        ],
    ),
    (
        "AWS::Events::ApiDestination",
        "Name",
        NAME,
        &[("Arn", "@events:api-destination/{name}")],
    ),
    (
        "AWS::Events::Archive",
        "ArchiveName",
        NAME,
        &[("Arn", "@events:archive/{name}")],
    ),
    (
        "AWS::Events::Connection",
        "Name",
        NAME,
        &[("Arn", "@events:connection/{name}")],
    ),
    (
        "AWS::Events::EventBus",
        "Name",
        NAME,
        &[("Arn", "@events:event-bus/{name}"), ("Name", NAME)],
    ),
    (
        "AWS::Events::Rule",
        "Name",
        NAME,
        &[("Arn", "@events:rule/{name}")],
    ),
    ("AWS::Glue::Job", "Name", NAME, &[]),
    (
        "AWS::IAM::Group",
        "GroupName",
        NAME,
        &[("Arn", "@iam:group{Path:/}{name}")],
    ),
    (
        "AWS::IAM::InstanceProfile",
        "InstanceProfileName",
        NAME,
        &[("Arn", "@iam:instance-profile{Path:/}{name}")],
    ),
    (
        "AWS::IAM::ManagedPolicy",
        "ManagedPolicyName",
        "@iam:policy{Path:/}{name}",
        &[("PolicyArn", "@iam:policy{Path:/}{name}")],
    ),
    (
        "AWS::IAM::Role",
        "RoleName",
        NAME,
        &[("Arn", "@iam:role{Path:/}{name}")],
    ),
    (
        "AWS::IAM::User",
        "UserName",
        NAME,
        &[("Arn", "@iam:user{Path:/}{name}")],
    ),
    (
        "AWS::IoT::Thing",
        "ThingName",
        NAME,
        &[("Arn", "@iot:thing/{name}")],
    ),
    (
        "AWS::IoT::TopicRule",
        "RuleName",
        NAME,
        &[("Arn", "@iot:rule/{name}")],
    ),
    ("AWS::KMS::Alias", "AliasName", NAME, &[]),
    (
        "AWS::KMS::Key",
        "",
        NAME,
        &[("Arn", "@kms:key/{name}"), ("KeyId", NAME)],
    ),
    (
        "AWS::Kinesis::Stream",
        "Name",
        NAME,
        &[("Arn", "@kinesis:stream/{name}")],
    ),
    (
        "AWS::KinesisFirehose::DeliveryStream",
        "DeliveryStreamName",
        NAME,
        &[("Arn", "@firehose:deliverystream/{name}")],
    ),
    (
        "AWS::KinesisVideo::Stream",
        "Name",
        NAME,
        &[("Arn", "@kinesisvideo:stream/{name}/0")],
    ),
    (
        "AWS::Lambda::Alias",
        "Name",
        "@lambda:function:{function}:{name}",
        &[("AliasArn", "@lambda:function:{function}:{name}")],
    ),
    (
        "AWS::Lambda::CapacityProvider",
        "CapacityProviderName",
        NAME,
        CAPACITY,
    ),
    ("AWS::Lambda::Function", "FunctionName", NAME, FUNCTION),
    (
        "AWS::Lambda::LayerVersion",
        "LayerName",
        LAYER,
        &[("LayerVersionArn", LAYER)],
    ),
    (
        "AWS::Lambda::Version",
        "",
        "@lambda:function:{function}:1",
        &[
            ("Version", "1"),
            ("FunctionArn", "@lambda:function:{function}:1"),
        ],
    ),
    (
        "AWS::Logs::LogGroup",
        "LogGroupName",
        NAME,
        &[("Arn", "@logs:log-group:{name}:*")],
    ),
    (
        "AWS::MSK::Cluster",
        "ClusterName",
        CLUSTER,
        &[("Arn", CLUSTER)],
    ),
    (
        "AWS::MSK::ServerlessCluster",
        "ClusterName",
        CLUSTER,
        &[("Arn", CLUSTER)],
    ),
    (
        "AWS::MemoryDB::Cluster",
        "ClusterName",
        NAME,
        &[("ARN", "@memorydb:cluster/{name}")],
    ),
    (
        "AWS::OpenSearchService::Domain",
        "DomainName",
        NAME,
        &[
            ("Arn", "@es:domain/{name}"),
            ("DomainArn", "@es:domain/{name}"),
        ],
    ),
    (
        "AWS::Pipes::Pipe",
        "Name",
        NAME,
        &[("Arn", "@pipes:pipe/{name}")],
    ),
    (
        "AWS::RDS::DBCluster",
        "DBClusterIdentifier",
        NAME,
        &[("DBClusterArn", "@rds:cluster:{name}")],
    ),
    (
        "AWS::RDS::DBInstance",
        "DBInstanceIdentifier",
        NAME,
        &[("DBInstanceArn", "@rds:db:{name}")],
    ),
    (
        "AWS::RDS::DBProxy",
        "DBProxyName",
        NAME,
        &[("DBProxyArn", "@rds:db-proxy:{name}")],
    ),
    (
        "AWS::S3::AccessPoint",
        "Name",
        NAME,
        &[
            (
                "Arn",
                "arn:{partition}:s3:{region}:{account}:accesspoint/{name}",
            ),
            ("Name", NAME),
        ],
    ),
    (
        "AWS::S3::Bucket",
        "BucketName",
        NAME,
        &[
            ("Arn", "@s3:{name}"),
            ("DomainName", "{name}.s3.{suffix}"),
            (
                "DualStackDomainName",
                "{name}.s3.dualstack.{region}.{suffix}",
            ),
            ("RegionalDomainName", "{name}.s3.{region}.{suffix}"),
            ("WebsiteURL", "http://{name}.s3-website-{region}.{suffix}"),
        ],
    ),
    ("AWS::SES::ConfigurationSet", "Name", NAME, &[]),
    (
        "AWS::SNS::Topic",
        "TopicName",
        "@sns:{name}",
        &[("TopicArn", "@sns:{name}"), ("TopicName", NAME)],
    ),
    (
        "AWS::SQS::Queue",
        "QueueName",
        "",
        &[("Arn", "@sqs:{name}"), ("QueueName", NAME)],
    ),
    (
        "AWS::SSM::Parameter",
        "Name",
        NAME,
        &[
            ("Arn", "@ssm:parameter{slash}{name}"),
            ("Type", "{Type}"),
            ("Value", "{Value}"),
        ],
    ),
    (
        "AWS::Scheduler::Schedule",
        "Name",
        NAME,
        &[("Arn", "@scheduler:schedule/{GroupName:default}/{name}")],
    ),
    (
        "AWS::Scheduler::ScheduleGroup",
        "Name",
        NAME,
        &[("Arn", "@scheduler:schedule-group/{name}")],
    ),
    (
        "AWS::SecretsManager::Secret",
        "Name",
        SECRET,
        &[("Id", SECRET)],
    ),
    ("AWS::Serverless::Api", "", NAME, &[]),
    (
        "AWS::Serverless::CapacityProvider",
        "CapacityProviderName",
        NAME,
        CAPACITY,
    ),
    ("AWS::Serverless::Function", "FunctionName", NAME, FUNCTION),
    ("AWS::Serverless::HttpApi", "", NAME, &[]),
    (
        "AWS::Serverless::LayerVersion",
        "LayerName",
        LAYER,
        &[("LayerVersionArn", LAYER)],
    ),
    ("AWS::Serverless::SimpleTable", "TableName", NAME, TABLE),
    (
        "AWS::Serverless::StateMachine",
        "Name",
        MACHINE,
        &[("Arn", MACHINE), ("Name", NAME)],
    ),
    (
        "AWS::StepFunctions::Activity",
        "Name",
        "@states:activity:{name}",
        &[("Arn", "@states:activity:{name}"), ("Name", NAME)],
    ),
    (
        "AWS::StepFunctions::StateMachine",
        "StateMachineName",
        MACHINE,
        &[("Arn", MACHINE), ("Name", NAME)],
    ),
    (
        "AWS::Timestream::Database",
        "DatabaseName",
        NAME,
        &[("Arn", "@timestream:database/{name}")],
    ),
    (
        "AWS::Timestream::Table",
        "TableName",
        "{DatabaseName}|{name}",
        &[
            ("Arn", "@timestream:database/{DatabaseName}/table/{name}"),
            ("Name", NAME),
        ],
    ),
    (
        "AWS::XRay::Group",
        "GroupName",
        "@xray:group/{name}/0",
        &[("GroupARN", "@xray:group/{name}/0")],
    ),
];

const TABLE: &[(&str, &str)] = &[
    ("Arn", "@dynamodb:table/{name}"),
    (
        "StreamArn",
        "@dynamodb:table/{name}/stream/1970-01-01T00:00:00.000",
    ),
];
const FUNCTION: &[(&str, &str)] = &[("Arn", "@lambda:function:{name}")];
const CAPACITY: &[(&str, &str)] = &[("Arn", "@lambda:capacity-provider:{name}")];
const LAYER: &str = "@lambda:layer:{name}:1";
const CLUSTER: &str = "@kafka:cluster/{name}/00000000";
const SECRET: &str = "@secretsmanager:secret:{name}";
const MACHINE: &str = "@states:stateMachine:{name}";

/// The return values of a type.
pub(super) fn of(kind: &str) -> Option<Returns> {
    let (kind, property, reference, attributes) = *ROWS.iter().find(|(name, ..)| *name == kind)?;
    Some(Returns {
        kind,
        property,
        reference,
        attributes,
    })
}
