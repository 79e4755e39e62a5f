//! Values of a wrong kind in templates and settings.

use sam_template::model::Diagnostic;
use sam_template::project::{Arguments, Project};

use crate::fixture::{ENDPOINT, complaints, function, good};

/// Inputs that were read as if nothing was written. The function's properties, the settings, the
/// line, words of the message.
#[test]
fn wrong_shapes_are_not_taken_for_absent() {
    let queue = |more: &str| {
        format!(
            "Events: {{E: {{Type: SQS, Properties: {{Queue: \
             'arn:aws:sqs:us-east-1:000000000000:q', {more}}}}}}}"
        )
    };
    let kafka = |more: &str| {
        format!(
            "Events: {{E: {{Type: SelfManagedKafka, Properties: {{KafkaBootstrapServers: \
             ['127.0.0.1:1'], Topics: [t], {more}}}}}}}"
        )
    };
    let table = [
        (
            queue("FilterCriteria: {Filters: {Pattern: '{}'}}"),
            9,
            "Filters must be a list, not a mapping",
        ),
        (
            queue("FilterCriteria: []"),
            9,
            "FilterCriteria must be a mapping, not a list",
        ),
        (
            queue("FilterCriteria: {Filters: ['{}']}"),
            9,
            "Filters must be a list of mappings, not '{}'",
        ),
        (
            queue("FilterCriteria: {Filters: [{Pattern: {body: [a]}}]}"),
            9,
            "Pattern must be text, not a mapping",
        ),
        (
            queue("FunctionResponseTypes: ReportBatchItemFailures"),
            9,
            "FunctionResponseTypes must be a list",
        ),
        (
            queue("MetricsConfig: EventCount"),
            9,
            "MetricsConfig must be a mapping, not 'EventCount'",
        ),
        (
            kafka("SourceAccessConfigurations: {Type: BASIC_AUTH}"),
            9,
            "SourceAccessConfigurations must be a list",
        ),
        (
            kafka("DestinationConfig: none"),
            9,
            "DestinationConfig must be a mapping, not 'none'",
        ),
        (
            "Events: [{Type: SQS}]".into(),
            9,
            "Events must be a mapping, not a list",
        ),
        (
            "Events: {E: {Type: Schedule, Properties: {Schedule: rate(1 day), Name: my tick}}}"
                .into(),
            9,
            "'my tick'",
        ),
        (
            "Handler: !Ref L".into(),
            9,
            "Handler must be text, not a list",
        ),
        (
            "Timeout: !Ref T".into(),
            9,
            "Timeout must be a whole number from 1 to 900, not 't'",
        ),
        (
            "Environment: !Ref T".into(),
            9,
            "Environment must be a mapping, not 't'",
        ),
        (
            kafka("FunctionResponseTypes: !Ref T"),
            9,
            "FunctionResponseTypes must be a list, not 't'",
        ),
        (
            "Events: !If [On, {E: {Type: HttpApi}}, {}]".into(),
            9,
            "SAM evaluates no Fn::If here",
        ),
        (
            "Events: {E: [SQS]}".into(),
            9,
            "event Worker.E must be a mapping",
        ),
        (
            "Events: {E: {Type: [SQS]}}".into(),
            9,
            "Type must be text, not a list",
        ),
        (
            "Events: {E: {Type: HttpApi, Properties: get}}".into(),
            9,
            "Properties must be a mapping, not 'get'",
        ),
        (
            "Events: {E: {Type: HttpApi, Properties: null}}".into(),
            9,
            "CloudFormation takes no null",
        ),
        (
            "Environment: {Variables: null}".into(),
            9,
            "CloudFormation takes no null",
        ),
        ("Handler: [b]".into(), 9, "Handler must be text, not a list"),
        (
            "LoggingConfig: JSON".into(),
            9,
            "LoggingConfig must be a mapping, not 'JSON'",
        ),
        (
            "LoggingConfig: {LogFormat: [JSON]}".into(),
            9,
            "LogFormat must be text, not a list",
        ),
        ("Tags: [a]".into(), 9, "Tags must be a mapping, not a list"),
        (
            "VpcConfig: {SubnetIds: subnet}".into(),
            9,
            "SubnetIds must be a list, not 'subnet'",
        ),
        (
            "Tags: !If [On, [a], {b: c}]".into(),
            9,
            "Tags must be a mapping, not a list",
        ),
        (
            "Architectures: arm64".into(),
            9,
            "Architectures must be a list",
        ),
        ("FunctionName: my worker".into(), 9, "'my worker'"),
        (format!("FunctionName: {}", "w".repeat(65)), 9, "up to 64"),
        ("FunctionName: ''".into(), 9, "FunctionName"),
        (
            "FunctionUrlConfig: {AuthType: NONE, Cors: all}".into(),
            9,
            "Cors must be a mapping, not 'all'",
        ),
        (
            "DeadLetterQueue: {Type: Kafka, TargetArn: 'arn:aws:sqs:us-east-1:000000000000:q'}"
                .into(),
            9,
            "Type is SQS or SNS",
        ),
    ];
    let conditions = "Conditions: {On: !Equals [a, a]}\nParameters: \
        {T: {Type: String, Default: t}, L: {Type: CommaDelimitedList, Default: 'a,b'}}\n";
    for (properties, line, words) in table {
        let text = function(&properties) + conditions;
        let found = complaints(&text, ENDPOINT);
        assert!(
            matches!(&found[..], [(at, message)] if *at == line && message.contains(words)),
            "{properties}: {found:?}"
        );
    }
    let route = function(
        "Events: {E: {Type: HttpApi, Properties: {Path: /, Method: get, ApiId: !Ref Api}}}",
    );
    for (more, words) in [
        (
            "  Api: {Type: 'AWS::Serverless::HttpApi', Properties: {CorsConfiguration: all}}\n",
            "must be true, false or a mapping",
        ),
        (
            "  Api: {Type: 'AWS::Serverless::HttpApi', Properties: {Auth: {Authorizers: [jwt]}}}\n",
            "Authorizers must be a mapping",
        ),
        (
            "  Api: {Type: 'AWS::Serverless::HttpApi', Properties: {Auth: {Authorizers: {A: jwt}}}}\n",
            "A must be a mapping, not 'jwt'",
        ),
        (
            "  Api: {Type: 'AWS::Serverless::HttpApi', Properties: {StageName: my stage}}\n",
            "'my stage'",
        ),
        (
            "  Api: {Type: 'AWS::Serverless::HttpApi', Propertes: {StageName: a}}\n",
            "Did you mean Properties?",
        ),
        (
            "  Api: {Type: 'AWS::Serverless::HttpApi', Properties: [a]}\n",
            "Properties must be a mapping, not a list",
        ),
        (
            "  Api: {Type: 'AWS::Serverless::HttpApi'}\n  T: \
             {Type: 'AWS::SNS::Topic', Condition: [On]}\n",
            "Condition must be text",
        ),
    ] {
        let found = complaints(&(route.clone() + more), "");
        let line = route.lines().count() + more.lines().count();
        assert!(
            found.iter().all(|(at, _)| *at == line) && found.iter().any(|(_, m)| m.contains(words)),
            "{more}: {found:?}"
        );
    }
    for (section, words) in [
        ("Parameters: [A]\n", "Parameters must be a mapping"),
        ("Parameters: {A: text}\n", "A must be a mapping"),
        (
            "Parameters: {A: {Type: String, Default: [a]}}\n",
            "Default must be text",
        ),
        (
            "Parameters: {A: {Type: String, Default: a, AllowedValues: a}}\n",
            "AllowedValues must be a list",
        ),
        ("Mappings: [A]\n", "Mappings must be a mapping"),
        ("Mappings: {A: {B: c}}\n", "B must be a mapping"),
        ("Conditions:\n", "Conditions has no value"),
        ("Outputs: {A: text}\n", "A must be a mapping"),
        (
            "Globals: {Function: [Timeout]}\n",
            "Function must be a mapping",
        ),
        ("Globals: {Function: {Timeout: [3]}}\n", "Timeout must be"),
        (
            "Globals: {Function: !If [On, {Timeout: 3}, {}]}\n",
            "SAM evaluates no Fn::If here",
        ),
    ] {
        let text = function("") + section;
        let found = complaints(&text, "");
        assert!(
            matches!(&found[..], [(9, message)] if message.contains(words)),
            "{section}: {found:?}"
        );
    }
}

/// SAM leaves these out: observed with aws-sam-translator 1.115.
#[test]
fn what_sam_leaves_out_is_warned_of() {
    for (properties, words) in [
        ("Events:", "function Worker: Events has no value"),
        (
            "Events: {E: {Type: HttpApi, Propertes: {Path: /, Method: get}}}",
            "Did you mean Properties?",
        ),
        ("Timeout: null", "function Worker: Timeout has no value"),
        (
            "Events: {E: {Type: HttpApi, Properties: {Path: /, Method: get, TimeoutInMillis: null}}}",
            "TimeoutInMillis has no value",
        ),
    ] {
        let application = good(&function(properties), "");
        let found: Vec<&Diagnostic> = application
            .warnings
            .iter()
            .filter(|warning| warning.message.contains(words))
            .collect();
        assert!(
            matches!(&found[..], [one] if one.line == 9),
            "{properties}: {:?}",
            application.warnings
        );
    }
    let globals = good(
        &(function("") + "Globals: {Function: {Timeout: null}}\n"),
        "",
    );
    assert!(
        globals.warnings.iter().any(|warning| warning.line == 9),
        "{:?}",
        globals.warnings
    );
}

/// The files beside the template.
#[test]
fn settings_of_wrong_kinds_are_refused_with_lines() {
    for (text, line, words) in [
        ("stack = ['a']\n", 1, "stack must be text, not a list"),
        (
            "\nparameters = ['a']\n",
            2,
            "parameters must be a mapping, not a list",
        ),
        (
            "[kafka]\n'A.B' = { servers = { a = 1 } }\n",
            2,
            "servers must be a list",
        ),
        (
            "[kafka]\n'A.B' = { servers = '127.0.0.1:1', iam = 'yes' }\n",
            2,
            "iam is the region",
        ),
        (
            "[kafka]\n'A.B' = { servers = '127.0.0.1:1', iam = 'eu-central-1', auth = 'X' }\n",
            2,
            "iam and auth are two logins",
        ),
        (
            "[resolve]\nk = { file = ['a'] }\n",
            2,
            "file must be text, not a list",
        ),
        ("[resolve]\nk = { fil = 'a' }\n", 2, "Did you mean file?"),
        (
            "allow_remote = { host = 'a' }\n",
            1,
            "allow_remote must be a list",
        ),
        (
            "endpoints = 'http://127.0.0.1:1'\n",
            1,
            "endpoints must be a mapping",
        ),
        ("settings = 'x'\n", 1, "settings must be a mapping"),
    ] {
        let found = complaints(&function(""), text);
        assert!(
            found
                .iter()
                .any(|(at, message)| *at == line && message.contains(words)),
            "{text}: {found:?}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("template.yaml"), function("")).unwrap();
    let arguments = Arguments {
        config_env: "default".into(),
        ..Arguments::default()
    };
    for (text, line, words) in [
        ("default = 'x'\n", 1, "default must be a mapping"),
        ("[default]\nup = ['x']\n", 2, "up must be a mapping"),
        (
            "[default.up]\nparameters = 'A=1'\n",
            2,
            "parameters must be a mapping",
        ),
        (
            "[default.up.parameters]\nparameter_overrides = { A = 1 }\n",
            2,
            "must be text or a list of texts, ",
        ),
    ] {
        std::fs::write(folder.path().join("samconfig.toml"), text).unwrap();
        let found = Project::load(&folder.path().join("template.yaml"), &arguments).unwrap_err();
        assert!(
            matches!(&found[..], [one] if one.line == line && one.message.contains(words)),
            "{text}: {found:?}"
        );
    }
}

/// The table of kinds also has sections and events, whose names are not types of resources.
#[test]
fn resources_of_unlisted_types_keep_their_properties() {
    for kind in ["Outputs", "event:SQS", "Custom::Thing"] {
        let resource = format!("  Other: {{Type: '{kind}', Properties: {{BatchSize: [1]}}}}\n");
        good(&(function("") + &resource), "");
    }
}
