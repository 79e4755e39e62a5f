//! Templates as users write them: what they resolve to.

use std::path::PathBuf;

use tempfile::TempDir;
use usher::model::{Application, Code, Diagnostic, KafkaKind, StartingPosition};
use usher::project::{Arguments, Project};
use usher::template;

/// A project folder with a template, settings and one cargo package.
struct Folder(TempDir);

impl Folder {
    fn new(template: &str, settings: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("template.yaml", template);
        folder.write("usher.toml", settings);
        folder.write("worker/Cargo.toml", "[package]\nname = 'worker'\n");
        folder
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.0.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    fn template(&self) -> PathBuf {
        self.0.path().join("template.yaml")
    }

    fn load(&self, arguments: &Arguments) -> Result<Application, Vec<Diagnostic>> {
        let project = Project::load(&self.template(), arguments)?;
        template::load(&self.template(), &project)
    }
}

fn load(text: &str, settings: &str) -> Result<Application, Vec<Diagnostic>> {
    Folder::new(text, settings).load(&Arguments::default())
}

pub(crate) fn good(text: &str, settings: &str) -> Application {
    load(text, settings).unwrap_or_else(|found| {
        panic!(
            "{}",
            found
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        )
    })
}

/// Every warning, a line each.
pub(crate) fn warnings(application: &Application) -> String {
    application
        .warnings
        .iter()
        .map(|warning| warning.to_string() + "\n")
        .collect()
}

/// `line: message` of every error.
pub(crate) fn complaints(text: &str, settings: &str) -> Vec<(usize, String)> {
    match load(text, settings) {
        Ok(application) => panic!("nothing was said of\n{text}\n{application:?}"),
        Err(found) => found.into_iter().map(|d| (d.line, d.message)).collect(),
    }
}

/// Settings that say where SQS answers.
pub(crate) const ENDPOINT: &str = "[endpoints]\nsqs = 'http://127.0.0.1:9324'\n";

const HEAD: &str = "Transform: AWS::Serverless-2016-10-31\n";

/// A whole template around one function's properties and events; they begin on line 8.
pub(crate) fn function(properties: &str) -> String {
    let mut text = format!(
        "{HEAD}Resources:\n  Worker:\n    Type: AWS::Serverless::Function\n    Metadata: {{BuildMethod: rust-cargolambda}}\n    Properties:\n      CodeUri: worker\n"
    );
    if !properties.contains("Runtime:") {
        text += "      Runtime: provided.al2023\n";
    }
    for line in properties.lines() {
        text.extend(["      ", line, "\n"]);
    }
    text
}

#[test]
fn a_function_gets_the_defaults_of_lambda_and_its_own_settings() {
    let app = good(
        &function(
            "Timeout: 60\nReservedConcurrentExecutions: 2\nEnvironment: {Variables: {SIZE: 3, OPEN: true}}",
        ),
        "stack = 'shop'",
    );
    let worker = &app.functions["Worker"];
    assert_eq!(worker.name, "shop-Worker");
    assert_eq!(
        (
            worker.timeout.as_secs(),
            worker.memory_mb,
            worker.concurrency
        ),
        (60, 128, Some(2))
    );
    assert_eq!(
        (
            worker.environment["SIZE"].as_str(),
            worker.environment["OPEN"].as_str()
        ),
        ("3", "true")
    );
    assert!(
        matches!(&worker.code, Code::Cargo { binary: Some(binary), dir } if binary == "worker" && dir.ends_with("worker"))
    );
}

#[test]
fn every_intrinsic_evaluates_in_both_forms() {
    let text = function(
        "Environment:\n  Variables:\n    REF: !Ref Size\n    SUB: !Sub '${Size}/${AWS::Region}/${!Raw}/${Queue.Arn}'\n    \
         SUB2: {'Fn::Sub': ['${a}-${Size}', {a: !Ref Name}]}\n    JOIN: !Join ['+', !Ref Zones]\n    \
         SELECT: !Select [1, !Split ['-', 'x-y-z']]\n    IF: !If [Big, yes-big, no]\n    IF2: {'Fn::If': [Odd, odd, !Ref 'AWS::NoValue']}\n    \
         MAP: !FindInMap [Sizes, !Ref Name, '3']\n    ATT: !GetAtt Queue.Arn\n    URL: !Ref Queue\n    B64: {'Fn::Base64': hi}",
    ) + "  Queue: {Type: 'AWS::SQS::Queue'}\n\
         Parameters:\n  Size: {Type: Number, Default: 3}\n  Name: {Type: String, Default: small}\n  Zones: {Type: CommaDelimitedList, Default: 'a, b'}\n\
         Mappings: {Sizes: {small: {'3': three}}}\n\
         Conditions:\n  Odd: !Not [!Condition Big]\n  Big: !And [!Equals [!Ref Size, 3], !Or [!Equals [a, b], !Equals [c, c]]]\n";
    let app = good(&text, &format!("stack = 'shop'\n{ENDPOINT}"));
    let env = &app.functions["Worker"].environment;
    let expected = [
        ("REF", "3"),
        (
            "SUB",
            "3/us-east-1/${Raw}/arn:aws:sqs:us-east-1:000000000000:shop-Queue",
        ),
        ("SUB2", "small-3"),
        ("JOIN", "a+b"),
        ("SELECT", "y"),
        ("IF", "yes-big"),
        ("MAP", "three"),
        ("ATT", "arn:aws:sqs:us-east-1:000000000000:shop-Queue"),
        ("URL", "http://127.0.0.1:9324/000000000000/shop-Queue"),
        ("B64", "aGk="),
    ];
    for (name, value) in expected {
        assert_eq!(env[name], value, "{name}");
    }
    assert!(
        !env.contains_key("IF2"),
        "AWS::NoValue takes the variable away"
    );
}

#[test]
fn globals_lie_under_every_function() {
    let text = function("Timeout: 9\nEnvironment: {Variables: {A: own}}")
        + "Globals: {Function: {Timeout: 5, MemorySize: 512, Environment: {Variables: {A: global, B: global}}}}\n";
    let worker = good(&text, "").functions["Worker"].clone();
    assert_eq!((worker.timeout.as_secs(), worker.memory_mb), (9, 512));
    assert_eq!(
        (
            worker.environment["A"].as_str(),
            worker.environment["B"].as_str()
        ),
        ("own", "global")
    );
}

#[test]
fn a_resource_may_ignore_globals() {
    let globals = "Globals: {Function: {Timeout: 5, MemorySize: 512}}\n";
    let ignoring = |what: &str| {
        function("Timeout: 9").replace(
            "    Properties:",
            &format!("    IgnoreGlobals: {what}\n    Properties:"),
        )
    };
    for (what, memory) in [("'*'", 128), ("[MemorySize]", 128), ("[Timeout]", 512)] {
        let worker = good(&(ignoring(what) + globals), "").functions["Worker"].clone();
        assert_eq!(
            (worker.timeout.as_secs(), worker.memory_mb),
            (9, memory),
            "{what}"
        );
    }
}

#[test]
fn a_resource_with_a_false_condition_does_not_exist() {
    let text = function("Timeout: 9")
        + "  Other:\n    Type: AWS::Serverless::Function\n    Condition: Off\n    Properties: {Runtime: python3.13}\n\
           Conditions: {Off: !Equals [a, b]}\n";
    assert_eq!(
        good(&text, "").functions.keys().collect::<Vec<_>>(),
        ["Worker"]
    );
}

#[test]
fn parameters_come_from_settings_then_samconfig_then_the_command_line() {
    let text = function("Environment: {Variables: {A: !Ref A, B: !Ref B, C: !Ref C, D: !Ref D}}")
        + "Parameters: {A: {Type: String, Default: d}, B: {Type: String, Default: d}, C: {Type: String, Default: d}, D: {Type: String, Default: d}}\n";
    let folder = Folder::new(
        &text,
        "[parameters]\nB = 'settings'\nC = 'settings'\nD = 'settings'\n",
    );
    folder.write(
        "samconfig.toml",
        "[default.up.parameters]\nparameter_overrides = ['C=samconfig', 'D=samconfig']\n[default.deploy.parameters]\nparameter_overrides = 'A=production'\n",
    );
    let arguments = Arguments {
        config_env: "default".into(),
        parameter_overrides: vec!["D=line".into()],
        ..Arguments::default()
    };
    let app = folder.load(&arguments).unwrap();
    let values: Vec<&str> = app.functions["Worker"]
        .environment
        .values()
        .map(String::as_str)
        .collect();
    assert_eq!(values, ["d", "settings", "samconfig", "line"]);
}

#[test]
fn env_vars_change_declared_variables_only() {
    let folder = Folder::new(
        &function("Environment: {Variables: {A: template, B: template}}"),
        "",
    );
    folder.write(
        "vars.json",
        r#"{"Worker": {"A": "file", "NEW": 1}, "Parameters": {"B": "all", "A": "all"}}"#,
    );
    let arguments = Arguments {
        env_vars: Some(folder.0.path().join("vars.json")),
        ..Arguments::default()
    };
    let app = folder.load(&arguments).unwrap();
    let env = &app.functions["Worker"].environment;
    assert_eq!(
        (env["A"].as_str(), env["B"].as_str(), env.len()),
        ("file", "all", 2)
    );
    assert!(
        app.warnings.iter().any(|w| w.message.contains("NEW")),
        "{:?}",
        app.warnings
    );
}

#[test]
fn a_reserved_variable_is_refused_wherever_it_is_set() {
    for name in [
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
        "_HANDLER",
    ] {
        let found = complaints(
            &function(&format!("Environment:\n  Variables:\n    {name}: x")),
            "",
        );
        assert!(
            matches!(&found[..], [(11, message)] if message.contains("Reserved keys used in this request")),
            "{found:?}"
        );
    }
    let folder = Folder::new(
        &function("Environment: {Variables: {TZ: Asia/Tokyo, PATH: /x}}"),
        "",
    );
    assert_eq!(
        folder.load(&Arguments::default()).unwrap().functions["Worker"].environment["TZ"],
        "Asia/Tokyo"
    );
    folder.write(
        "vars.json",
        r#"{"Parameters": {"AWS_REGION": "eu-west-1"}}"#,
    );
    let arguments = Arguments {
        env_vars: Some(folder.0.path().join("vars.json")),
        ..Arguments::default()
    };
    let found = folder.load(&arguments).unwrap_err();
    assert!(
        found[0].message.contains("--env-vars sets AWS_REGION"),
        "{found:?}"
    );
}

#[test]
fn kafka_mappings_read_alike_in_all_three_forms() {
    let text = function(
        "Events:\n  Own:\n    Type: SelfManagedKafka\n    Properties: {Topics: [t], KafkaBootstrapServers: ['127.0.0.1:9092'], BatchSize: 5}\n  \
         Msk:\n    Type: MSK\n    Properties: {Stream: !Ref Cluster, Topics: [t], StartingPosition: LATEST}",
    ) + "  Cluster: {Type: 'AWS::MSK::Cluster'}\n  Long:\n    Type: AWS::Lambda::EventSourceMapping\n    Properties:\n      \
         FunctionName: !GetAtt Worker.Arn\n      Topics: [t]\n      BatchSize: 500\n      MaximumBatchingWindowInSeconds: 1\n      \
         FunctionResponseTypes: [ReportBatchItemFailures]\n      MaximumRetryAttempts: -1\n      ProvisionedPollerConfig: {MinimumPollers: 1}\n      \
         SelfManagedEventSource: {Endpoints: {KafkaBootstrapServers: ['localhost:9093']}}\n      \
         SelfManagedKafkaEventSourceConfig: {ConsumerGroupId: mine}\n";
    let app = good(
        &text,
        "stack = 's'\n[kafka]\n\"arn:aws:kafka:us-east-1:000000000000:cluster/s-Cluster/00000000\" = '127.0.0.1:9094'\n",
    );
    let [own, msk, long] = &app.kafka[..] else {
        panic!("{:?}", app.kafka)
    };
    assert_eq!(
        (own.id.as_str(), own.kind.clone(), own.batch_size),
        ("Worker.Own", KafkaKind::SelfManaged, 5)
    );
    assert_eq!(
        (msk.bootstrap_servers.as_str(), msk.start),
        ("127.0.0.1:9094", StartingPosition::Latest)
    );
    assert!(matches!(&msk.kind, KafkaKind::Msk { arn } if arn.contains("s-Cluster")));
    assert_eq!(
        (long.function.as_str(), long.group.as_str(), long.batch_size),
        ("Worker", "mine", 500)
    );
    assert!(long.partial_responses && long.max_retries.is_none() && own.group != msk.group);
}

#[test]
fn unlimited_retries_with_a_destination_become_ten_and_say_so() {
    let text = function(
        "Events:\n  Own:\n    Type: SelfManagedKafka\n    Properties:\n      Topics: [t]\n      KafkaBootstrapServers: ['127.0.0.1:9092']\n      \
         DestinationConfig: {OnFailure: {Type: Kafka, Destination: 'kafka://parked'}}",
    );
    let app = good(&text, "");
    assert_eq!(app.kafka[0].max_retries, Some(10));
    assert!(
        app.warnings.iter().any(|w| w.message.contains("become 10")),
        "{:?}",
        app.warnings
    );
}

#[test]
fn queues_and_their_mappings_read_alike_in_both_forms() {
    let text = function(
        "Timeout: 5\nEvents:\n  Own:\n    Type: SQS\n    Properties:\n      Queue: !GetAtt Orders.Arn\n      BatchSize: 100\n      \
         MaximumBatchingWindowInSeconds: 2\n      FunctionResponseTypes: [ReportBatchItemFailures]\n      ScalingConfig: {MaximumConcurrency: 3}",
    ) + "  Orders:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !Sub '${AWS::StackName}-orders'\n      VisibilityTimeout: 32\n      \
           RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 4}\n  \
         Dead: {Type: 'AWS::SQS::Queue', Properties: {MessageRetentionPeriod: 600, KmsMasterKeyId: x}}\n  \
         Ordered: {Type: 'AWS::SQS::Queue', Properties: {FifoQueue: true, ContentBasedDeduplication: true, VisibilityTimeout: 30}}\n  \
         Long:\n    Type: AWS::Lambda::EventSourceMapping\n    Properties: {FunctionName: !Ref Worker, EventSourceArn: !GetAtt Ordered.Arn, Enabled: false}\n  \
         Elsewhere:\n    Type: AWS::Lambda::EventSourceMapping\n    Properties: {FunctionName: !GetAtt Worker.Arn, EventSourceArn: 'arn:aws:sqs:eu-west-1:123456789012:theirs'}\n";
    let app = good(&text, &format!("stack = 's'\n{ENDPOINT}"));
    assert_eq!(app.warnings, []);
    assert_eq!(app.sqs_endpoint.as_deref(), Some("http://127.0.0.1:9324"));
    let [orders, dead, ordered] = &app.queues[..] else {
        panic!("{:?}", app.queues)
    };
    assert_eq!(
        (orders.name.as_str(), orders.visibility.as_secs()),
        ("s-orders", 32)
    );
    assert_eq!(
        orders
            .redrive
            .as_ref()
            .map(|r| (r.target_name(), r.max_receives)),
        Some(("s-Dead", 4))
    );
    assert_eq!(
        (
            dead.arn.as_str(),
            dead.attributes["MessageRetentionPeriod"].as_str()
        ),
        ("arn:aws:sqs:us-east-1:000000000000:s-Dead", "600")
    );
    assert_eq!(
        (
            ordered.name.as_str(),
            ordered.fifo,
            ordered.attributes["FifoQueue"].as_str()
        ),
        ("s-Ordered.fifo", true, "true")
    );
    let [own, long, elsewhere] = &app.sqs[..] else {
        panic!("{:?}", app.sqs)
    };
    assert_eq!(
        (
            own.id.as_str(),
            own.queue_name(),
            own.batch_size,
            own.batching_window.as_secs()
        ),
        ("Worker.Own", "s-orders", 100, 2)
    );
    assert_eq!(
        (own.partial_responses, own.max_concurrency, own.enabled),
        (true, Some(3), true)
    );
    assert_eq!(
        (
            long.function.as_str(),
            long.fifo(),
            long.batch_size,
            long.enabled
        ),
        ("Worker", true, 10, false)
    );
    assert_eq!(
        (elsewhere.queue_name(), elsewhere.partial_responses),
        ("theirs", false)
    );
    assert_eq!(
        app.functions["Worker"].environment["AWS_ENDPOINT_URL_SQS"],
        "http://127.0.0.1:9324"
    );
}

#[test]
fn a_function_keeps_the_endpoint_that_the_template_gives_it() {
    let text = function("Environment: {Variables: {AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:7'}}");
    assert_eq!(
        good(&text, ENDPOINT).functions["Worker"].environment["AWS_ENDPOINT_URL_SQS"],
        "http://127.0.0.1:7"
    );
    assert!(
        good(&text, "").sqs_endpoint.is_none(),
        "and without queues none is asked for"
    );
}

#[test]
fn what_works_badly_on_a_queue_is_pointed_out() {
    let queue = |visibility: &str| {
        format!(
            "  Q: {{Type: 'AWS::SQS::Queue', Properties: {{VisibilityTimeout: {visibility}}}}}\n"
        )
    };
    let read = |more: &str| {
        function(&format!(
            "Timeout: 10\nReservedConcurrentExecutions: 2\nEvents: {{A: {{Type: SQS, Properties: {{Queue: !GetAtt Q.Arn{more}}}}}}}"
        ))
    };
    let said = |text: String| {
        let warnings = good(&text, ENDPOINT).warnings;
        warnings
            .iter()
            .map(|w| format!("{}: {}", w.line, w.message))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(said(read("") + &queue("60")), "");
    assert!(said(read("") + &queue("59")).contains("`VisibilityTimeout: 60`"));
    assert!(
        said(read(", MaximumBatchingWindowInSeconds: 5") + &queue("60"))
            .contains("`VisibilityTimeout: 65`")
    );
    assert!(
        said(read(", ScalingConfig: {MaximumConcurrency: 3}") + &queue("60"))
            .contains("is more than Worker may have")
    );
    let other =
        function("Timeout: 10\nEvents: {A: {Type: SQS, Properties: {Queue: !GetAtt Q.Arn}}}")
            .split("  Worker:")
            .nth(1)
            .unwrap()
            .to_owned();
    assert!(
        said(read("") + &format!("  Other:{other}") + &queue("60")).contains("each gets a part")
    );
}

#[test]
fn what_is_not_run_is_a_warning_and_the_rest_goes_on() {
    let text = function(
        "Layers: [x]\nVpcConfig: {}\nEvents:\n  N: {Type: SNS, Properties: {Topic: x}}\n  T: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}",
    ) + "  Steps: {Type: 'AWS::Serverless::StateMachine'}\n";
    let app = good(&text, "");
    assert_eq!(app.schedules.len(), 1);
    for word in [
        "Layers",
        "VpcConfig",
        "SNS",
        "AWS::Serverless::StateMachine",
    ] {
        assert!(
            app.warnings
                .iter()
                .any(|w| w.line > 0 && w.message.contains(word)),
            "{word}: {:?}",
            app.warnings
        );
    }
}

#[test]
fn seconds_are_for_this_machine_only() {
    let text = function(
        "Events: {Tick: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 minute), ScheduleExpressionTimezone: Europe/Madrid}}}",
    );
    let app = good(&text, "[schedules]\n'Worker.Tick' = 'rate(1 second)'\n");
    assert_eq!(
        (
            app.schedules[0].expression.as_str(),
            app.schedules[0].timezone.as_str()
        ),
        ("rate(1 second)", "Europe/Madrid")
    );
}

#[test]
fn routes_take_the_default_authorizer_unless_they_say_none() {
    let text = function(
        "Events:\n  A: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: '/a/{id}', Method: get}}\n  \
         B: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /b, Method: POST, Auth: {Authorizer: NONE}}}\n  \
         C: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: /c, Method: POST, Auth: {AuthorizationScopes: [w]}}}",
    ) + "  Api:\n    Type: AWS::Serverless::HttpApi\n    Properties:\n      Auth:\n        DefaultAuthorizer: Jwt\n        Authorizers:\n          \
         Jwt: {JwtConfiguration: {issuer: 'https://i', audience: [a]}, AuthorizationScopes: [r]}\n";
    let app = good(&text, "");
    let routes = &app.apis[0].routes;
    let seen: Vec<(&str, Option<&str>, usize)> = routes
        .iter()
        .map(|r| (r.method.as_str(), r.authorizer.as_deref(), r.scopes.len()))
        .collect();
    assert_eq!(
        seen,
        [
            ("GET", Some("Jwt"), 1),
            ("POST", None, 0),
            ("POST", Some("Jwt"), 1)
        ]
    );
    assert_eq!(routes[2].scopes, ["w"]);
}

#[test]
fn an_event_without_an_api_goes_to_the_implicit_one_with_the_globals() {
    let text = function(
        "Events: {A: {Type: HttpApi, Properties: {Path: /a, Method: get}}, Rest: {Type: HttpApi}}",
    ) + "Globals: {HttpApi: {CorsConfiguration: true}}\n";
    let app = good(&text, "");
    assert_eq!(app.apis[0].id, "ServerlessHttpApi");
    assert!(app.apis[0].cors.is_some());
    assert_eq!(app.apis[0].routes[1].path, "$default");
}

#[test]
fn secrets_come_from_the_settings_and_are_remembered_as_secret() {
    let text = function(
        "Environment: {Variables: {URL: 'pg://u:{{resolve:secretsmanager:db:SecretString:pw}}@127.0.0.1/x', KEY: !Ref Key}}",
    ) + "Parameters: {Key: {Type: String, NoEcho: true, Default: hush}}\n";
    let folder = Folder::new(
        &text,
        "[resolve]\n\"secretsmanager:db:SecretString:pw\" = { file = \"pw.txt\" }\n",
    );
    folder.write("pw.txt", "s3cret\n");
    let app = folder.load(&Arguments::default()).unwrap();
    assert_eq!(
        app.functions["Worker"].environment["URL"],
        "pg://u:s3cret@127.0.0.1/x"
    );
    assert!(app.secrets.contains("s3cret") && app.secrets.contains("hush"));
}

#[test]
fn a_remote_host_among_the_variables_is_warned_of_unless_allowed() {
    let text = function("Environment: {Variables: {DB: 'postgres://db.corp.net/x'}}");
    assert!(
        good(&text, "")
            .warnings
            .iter()
            .any(|w| w.message.contains("db.corp.net"))
    );
    assert!(
        good(&text, "allow_remote = ['db.corp.net']")
            .warnings
            .is_empty()
    );
}

#[test]
fn an_override_of_a_schedule_that_a_parameter_switches_off_is_no_mistake() {
    let text = function(
        "Events:\n  Tick: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 minute)}}",
    )
    .replace("    Metadata:", "    Condition: Wanted\n    Metadata:")
        + "Parameters: {On: {Type: String, Default: 'true'}}\nConditions: {Wanted: !Equals [!Ref On, 'true']}\n";
    let settings = "[schedules]\n'Worker.Tick' = 'rate(1 second)'\n";
    assert_eq!(
        good(&text, settings).schedules[0].expression,
        "rate(1 second)"
    );
    let off = Arguments {
        parameter_overrides: vec!["On=false".into()],
        ..Arguments::default()
    };
    assert!(
        Folder::new(&text, settings)
            .load(&off)
            .unwrap()
            .schedules
            .is_empty()
    );
    let misspelt = Folder::new(&text, "[schedules]\n'Worker.Tock' = 'rate(1 second)'\n")
        .load(&off)
        .unwrap_err();
    assert!(misspelt[0].message.contains("Worker.Tock"), "{misspelt:?}");
}

#[test]
fn a_function_that_may_never_run_is_pointed_out() {
    let app = good(&function("ReservedConcurrentExecutions: 0"), "");
    assert!(
        app.warnings
            .iter()
            .any(|w| w.line > 0 && w.message.contains("never runs")),
        "{:?}",
        app.warnings
    );
}
