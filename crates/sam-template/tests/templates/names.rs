//! What references yield: names that resources give themselves, aliases, region and account.

use sam_template::model::Application;
use sam_template::project::{Arguments, Project, SourcedValue};
use sam_template::template;

use crate::fixture::{ENDPOINT, complaints, function, good, warnings};

/// The value of each variable, for a template with these resources.
fn values(variables: &[&str], resources: &str, settings: &str) -> Vec<String> {
    let list: Vec<String> = variables
        .iter()
        .enumerate()
        .map(|(at, value)| format!("V{at:02}: {value}"))
        .collect();
    let text = function(&format!(
        "Environment: {{Variables: {{{}}}}}",
        list.join(", ")
    )) + resources;
    good(&text, settings).functions["Worker"]
        .environment
        .values()
        .take(variables.len())
        .cloned()
        .collect()
}

const RESOURCES: &str = "  Table: \
    {Type: 'AWS::DynamoDB::Table', Properties: {TableName: !Sub '${Env}-orders'}}
  Simple: {Type: 'AWS::Serverless::SimpleTable', Properties: {TableName: simple}}
  Bucket: {Type: 'AWS::S3::Bucket', Properties: {BucketName: !Join ['-', [!Ref Table, files]]}}
  Topic: {Type: 'AWS::SNS::Topic', Properties: {TopicName: news}}
  Ordered: {Type: 'AWS::SNS::Topic', Properties: {FifoTopic: true}}
  Secret: {Type: 'AWS::SecretsManager::Secret', Properties: {Name: db/login}}
  Setting: {Type: 'AWS::SSM::Parameter', Properties: {Name: /shop/limit, Type: String, Value: !Ref Env}}
  Bus: {Type: 'AWS::Events::EventBus', Properties: {Name: shop}}
  Stream: {Type: 'AWS::Kinesis::Stream', Properties: {Name: clicks}}
  Logs: {Type: 'AWS::Logs::LogGroup', Properties: {LogGroupName: /shop/worker}}
  Machine: {Type: 'AWS::Serverless::StateMachine', Properties: {Name: refunds}}
  Role: {Type: 'AWS::IAM::Role', Properties: {RoleName: worker, Path: /shop/}}
  Unnamed: {Type: 'AWS::DynamoDB::Table'}
  Pool: {Type: 'AWS::Cognito::UserPool', Properties: {UserPoolName: buyers}}
  Rest: {Type: 'AWS::Serverless::Api', Properties: {StageName: v1}}
Parameters: {Env: {Type: String, Default: test}}
";

#[test]
fn references_yield_names_that_the_template_gives() {
    let table = [
        ("!Ref Table", "test-orders"),
        (
            "!GetAtt Table.Arn",
            "arn:aws:dynamodb:us-east-1:000000000000:table/test-orders",
        ),
        (
            "!Sub '${Table}/${Table.StreamArn}'",
            "test-orders/arn:aws:dynamodb:us-east-1:000000000000:table/test-orders/stream/1970-01-01T00:00:00.000",
        ),
        ("!Ref Simple", "simple"),
        ("!Ref Bucket", "test-orders-files"),
        ("!GetAtt Bucket.Arn", "arn:aws:s3:::test-orders-files"),
        (
            "!GetAtt Bucket.RegionalDomainName",
            "test-orders-files.s3.us-east-1.amazonaws.com",
        ),
        ("!Ref Topic", "arn:aws:sns:us-east-1:000000000000:news"),
        ("!GetAtt Topic.TopicName", "news"),
        ("!GetAtt Ordered.TopicName", "s-Ordered.fifo"),
        (
            "!Ref Secret",
            "arn:aws:secretsmanager:us-east-1:000000000000:secret:db/login",
        ),
        ("!Ref Setting", "/shop/limit"),
        ("!GetAtt Setting.Value", "test"),
        (
            "!GetAtt Setting.Arn",
            "arn:aws:ssm:us-east-1:000000000000:parameter/shop/limit",
        ),
        ("!Ref Bus", "shop"),
        (
            "!GetAtt Bus.Arn",
            "arn:aws:events:us-east-1:000000000000:event-bus/shop",
        ),
        ("!Ref Stream", "clicks"),
        (
            "!GetAtt Stream.Arn",
            "arn:aws:kinesis:us-east-1:000000000000:stream/clicks",
        ),
        ("!Ref Logs", "/shop/worker"),
        (
            "!GetAtt Logs.Arn",
            "arn:aws:logs:us-east-1:000000000000:log-group:/shop/worker:*",
        ),
        (
            "!Ref Machine",
            "arn:aws:states:us-east-1:000000000000:stateMachine:refunds",
        ),
        ("!GetAtt Machine.Name", "refunds"),
        ("!Ref Role", "worker"),
        (
            "!GetAtt Role.Arn",
            "arn:aws:iam::000000000000:role/shop/worker",
        ),
        (
            "!GetAtt WorkerRole.Arn",
            "arn:aws:iam::000000000000:role/s-WorkerRole",
        ),
        ("!Ref Unnamed", "s-Unnamed"),
        ("!Ref Pool", "s-Pool"),
        ("!Sub '${Rest}/${Rest.Stage}'", "s-Rest/v1"),
    ];
    let found = values(&table.map(|(written, _)| written), RESOURCES, "stack = 's'");
    for ((written, expected), found) in table.iter().zip(found) {
        assert_eq!(found, *expected, "{written}");
    }
}

#[test]
fn a_name_that_nothing_refers_to_is_not_evaluated() {
    let bus =
        "  Bus: {Type: 'AWS::Events::EventBus', Properties: {Name: '{{resolve:ssm:/bus}}'}}\n";
    good(&(function("") + bus), "");
    let named = function("Environment: {Variables: {BUS: !Ref Bus}}") + bus;
    let found = complaints(&named, "");
    assert!(
        found.len() == 1 && found[0].0 == 10 && found[0].1.contains("[resolve]"),
        "{found:?}"
    );
    let list = function("Environment: {Variables: {BUS: !Ref Bus}}")
        + "  Bus: {Type: 'AWS::Events::EventBus', Properties: {Name: [a]}}\n";
    let found = complaints(&list, "");
    assert!(
        found.len() == 1 && found[0].0 == 10 && found[0].1.contains("Name must be text"),
        "{found:?}"
    );
}

const ALIASES: &str = "  Poll:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Ref Worker.Alias, EventSourceArn: !GetAtt Queue.Arn, Enabled: false}
  Again:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Sub '${Worker}:beta', EventSourceArn: 'arn:aws:sqs:us-east-1:000000000000:other'}
  Beta: {Type: 'AWS::Lambda::Alias', Properties: {FunctionName: !Ref Worker, FunctionVersion: !GetAtt Fixed.Version, Name: beta}}
  Fixed: {Type: 'AWS::Lambda::Version', Properties: {FunctionName: !Ref Worker}}
  Retries: {Type: 'AWS::Lambda::EventInvokeConfig', Properties: {FunctionName: !Ref Worker, Qualifier: live, MaximumRetryAttempts: 0}}
  Queue: {Type: 'AWS::SQS::Queue', Properties: {VisibilityTimeout: 30}}
Outputs: {Arn: {Value: !Ref Worker.Alias}}
";

#[test]
fn aliases_and_versions_are_the_one_code() {
    let arn = |qualifier: &str| {
        format!("arn:aws:lambda:us-east-1:000000000000:function:s-Worker:{qualifier}")
    };
    let table = [
        ("!Ref Worker.Alias", arn("live")),
        ("!Sub '${Worker.Alias}'", arn("live")),
        ("!GetAtt Worker.Alias.Name", "live".to_owned()),
        ("!Ref WorkerAliaslive", arn("live")),
        ("!Ref Worker.Version", arn("1")),
        ("!GetAtt Worker.Version.Version", "1".to_owned()),
        ("!Ref Beta", arn("beta")),
        ("!Ref Fixed", arn("1")),
        ("!GetAtt Fixed.Version", "1".to_owned()),
    ];
    let list: Vec<String> = table
        .iter()
        .enumerate()
        .map(|(at, (written, _))| format!("V{at:02}: {written}"))
        .collect();
    let text = function(&format!(
        "Timeout: 5\nAutoPublishAlias: live\nVersionDescription: first\nEnvironment: {{Variables: \
         {{{}}}}}",
        list.join(", ")
    )) + ALIASES;
    let app = good(&text, &format!("stack = 's'\n{ENDPOINT}"));
    let worker = &app.functions["Worker"];
    assert_eq!(
        worker.qualifiers.iter().collect::<Vec<_>>(),
        ["1", "beta", "live"]
    );
    for ((written, expected), found) in table.iter().zip(
        worker
            .environment
            .values()
            .filter(|value| !value.contains("http")),
    ) {
        assert_eq!(found, expected, "{written}");
    }
    assert_eq!(
        app.sqs
            .iter()
            .map(|mapping| mapping.function.as_str())
            .collect::<Vec<_>>(),
        ["Worker", "Worker"]
    );
    assert_eq!(app.event_invoke["Worker"].max_retries, 0);
    assert!(!warnings(&app).contains("Retries"), "{}", warnings(&app));
}

fn located(arguments: &Arguments, settings: &str, samconfig: &str) -> Application {
    let folder = tempfile::tempdir().unwrap();
    let text = function(
        "Environment: {Variables: {MAP: !FindInMap [Sizes, !Ref 'AWS::Region', size], ARN: !GetAtt Queue.Arn, URL: !Ref Queue, \
                         ID: !Sub '${AWS::AccountId}.${AWS::URLSuffix}', ZONE: !Select [0, \
                         !GetAZs '']}}\n\
                         Events: {T: {Type: Schedule, Properties: {Schedule: rate(1 hour)}}}",
    ) + "  Queue: {Type: 'AWS::SQS::Queue', Properties: {QueueName: q}}\n\
           Mappings: {Sizes: {eu-central-1: {size: big}, us-east-1: {size: small}, cn-north-1: {size: china}, eu-west-1: {size: west}}}\n";
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("template.yaml", &text);
    write("usher.toml", &format!("{settings}\n{ENDPOINT}"));
    write("samconfig.toml", samconfig);
    std::fs::create_dir(folder.path().join("worker")).unwrap();
    write("worker/Cargo.toml", "[package]\nname = 'worker'\n");
    let file = folder.path().join("template.yaml");
    let project = Project::load(&file, arguments).unwrap();
    template::load(&file, &project).unwrap()
}

#[test]
fn region_and_account_are_chosen_and_used_everywhere() {
    let arguments = |region: Option<&str>| Arguments {
        config_env: "default".into(),
        region: region.map(|value| SourcedValue {
            value: value.to_owned(),
            source: "--region".to_owned(),
        }),
        ..Arguments::default()
    };
    let app = located(
        &arguments(None),
        "region = 'cn-north-1'\naccount = '012345678901'",
        "",
    );
    let environment = &app.functions["Worker"].environment;
    assert_eq!(environment["MAP"], "china");
    assert_eq!(
        environment["ARN"],
        "arn:aws-cn:sqs:cn-north-1:012345678901:q"
    );
    assert_eq!(environment["URL"], "http://127.0.0.1:9324/012345678901/q");
    assert_eq!(environment["ID"], "012345678901.amazonaws.com.cn");
    assert_eq!(environment["ZONE"], "cn-north-1a");
    assert_eq!(app.schedules[0].arn.split(':').nth(3), Some("cn-north-1"));
    assert_eq!(app.queues[0].arn, environment["ARN"]);
    let map = |region, settings: &str, samconfig: &str| {
        located(&arguments(region), settings, samconfig).functions["Worker"].environment["MAP"]
            .clone()
    };
    let samconfig = "[default.global.parameters]\nregion = \
        'eu-west-1'\n[default.deploy.parameters]\nregion = 'cn-north-1'\n";
    assert_eq!(map(None, "", ""), "small");
    assert_eq!(
        map(None, "region = 'cn-north-1'", samconfig),
        "west",
        "samconfig.toml wins over usher.toml"
    );
    assert_eq!(
        map(Some("eu-central-1"), "region = 'cn-north-1'", samconfig),
        "big",
        "the command line wins over both"
    );
}

#[test]
fn a_resource_may_ignore_globals() {
    let globals = "Globals: {Function: {Timeout: 9, MemorySize: 512}}\n";
    let read = |ignored: &str| {
        let text = function("") + globals;
        let text = text.replace(
            "    Metadata:",
            &format!("    IgnoreGlobals: {ignored}\n    Metadata:"),
        );
        let worker = good(&text, "").functions["Worker"].clone();
        (worker.timeout.as_secs(), worker.memory_mb)
    };
    assert_eq!((read("'*'"), read("[Timeout]")), ((3, 128), (3, 512)));
}

#[test]
fn language_extensions_are_evaluated_except_loops() {
    let extended = |text: String| {
        text.replace("Transform: AWS", "Transform: [AWS::LanguageExtensions, AWS")
            .replace("2016-10-31", "2016-10-31]")
    };
    let unused = good(&extended(function("")), "");
    assert!(
        warnings(&unused).contains("1: of AWS::LanguageExtensions"),
        "{}",
        warnings(&unused)
    );
    let text = extended(function(
        "Environment: \
         {Variables: {COUNT: {'Fn::Length': !Split [',', 'a,b,c']}, JSON: {'Fn::ToJsonString': {a: [1, x], b: true}}, MAP: !FindInMap [None, a, b, {DefaultValue: d}]}}",
    )) + "Mappings: {Sizes: {a: {b: c}}}\n";
    let environment = good(&text, "").functions["Worker"].environment.clone();
    assert_eq!(environment["COUNT"], "3");
    assert_eq!(environment["MAP"], "d");
    assert_eq!(environment["JSON"], r#"{"a":[1,"x"],"b":true}"#);
}

#[test]
fn what_is_never_read_is_not_evaluated() {
    let definition = "DefinitionBody: \
        {'Fn::Transform': {Name: 'AWS::Include', Parameters: {Location: s3://b/api.yaml}}}";
    let text = function(
        "VpcConfig: {SubnetIds: ['{{resolve:ssm:/subnet}}']}\nLayers: \
         [{'Fn::Transform': {Name: Company::Layer}}]",
    ) + &format!(
        "  Api: {{Type: 'AWS::Serverless::HttpApi', Properties: {{{definition}}}}}\n"
    ) + &format!(
        "  Rest: {{Type: 'AWS::Serverless::Api', Properties: {{StageName: v1, {definition}}}}}\n"
    ) + "  Provider: {Type: 'AWS::Serverless::CapacityProvider', Properties: {CapacityProviderName: p}}\n";
    let app = good(&text, "");
    for part in [
        "API Api: DefinitionBody is not read",
        "API Rest: DefinitionBody is not read",
        "VpcConfig is left out",
        "Layers is left out",
    ] {
        assert!(warnings(&app).contains(part), "{part}: {}", warnings(&app));
    }
}
