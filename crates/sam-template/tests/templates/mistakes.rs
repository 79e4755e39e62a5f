//! Mistakes in functions, schedules and APIs.

use sam_template::project::Project;
use sam_template::template;

use crate::fixture::{assert_reported, complaints, function};

#[test]
fn mistakes_in_functions_are_reported() {
    assert_reported(&[
        (String::new(), "", 1, "the file is empty"),
        ("- a\n".into(), "", 1, "a template is a mapping"),
        (
            "Transform: AWS::Serverless-2016-10-31\n".into(),
            "",
            1,
            "has no Resources",
        ),
        (
            function("").replacen("Transform: AWS::Serverless-2016-10-31", "Description: x", 1),
            "",
            1,
            "has no Transform",
        ),
        (
            function("") + "Resource: {}\n",
            "",
            9,
            "Did you mean Resources?",
        ),
        (
            function("Timeout: 1000"),
            "",
            9,
            "whole number from 1 to 900",
        ),
        (function("MemorySize: 64"), "", 9, "from 128 to 10240"),
        (
            function("").replace("      CodeUri: worker\n", ""),
            "",
            7,
            "has no CodeUri",
        ),
        (
            function("").replace("Serverless::Function", "Serverless::Funktion"),
            "",
            3,
            "Did you mean AWS::Serverless::Function?",
        ),
        (
            function("Environment: {Variables: {L: [a]}}"),
            "",
            9,
            "Join lists with !Join",
        ),
        (
            function("Environment: {Variables: {A: !Sub '${Worker'}}"),
            "",
            9,
            "no closing }",
        ),
        (
            function("Environment: {Variables: {A: !If [Nope, 1, 2]}}"),
            "",
            9,
            "no condition 'Nope'",
        ),
        (
            function("Environment: {Variables: {A: !Ref T}}")
                + "  T: {Type: 'AWS::DynamoDB::Table', Condition: No, Properties: {TableName: t}}\nConditions: {No: !Equals [a, b]}\n",
            "",
            9,
            "its condition No does not hold",
        ),
        (
            function("Environment: {Variables: {A: !Select [3, [a, b]]}}"),
            "",
            9,
            "item '3' of 2",
        ),
        (
            function("") + "Conditions:\n  A: !Equals [a]\n",
            "",
            10,
            "Fn::Equals takes two values",
        ),
        (
            function("") + "Parameters:\n  A: {Type: Number, Default: x}\n",
            "",
            10,
            "its Type is Number",
        ),
        (
            function("") + "Parameters:\n  A: {Type: String, Default: c, AllowedValues: [a, b]}\n",
            "",
            10,
            "allowed are a, b",
        ),
        (
            function("")
                + "Parameters:\n  A: {Type: String, Default: Ab, AllowedPattern: '[a-z]+'}\n",
            "",
            10,
            "must match [a-z]+",
        ),
        (
            function("") + "Parameters:\n  A: {Type: String, Default: a, MinLength: 3}\n",
            "",
            10,
            "at least 3 characters long",
        ),
        (
            function("Events: {E: {Properties: {}}}"),
            "",
            9,
            "has no Type",
        ),
    ]);
}

#[test]
fn mistakes_in_schedules_are_reported() {
    assert_reported(&[
        (
            function("Events: {E: {Type: Schedule, Properties: {Schedule: every minute}}}"),
            "",
            9,
            "is not a schedule",
        ),
        (
            function("Events: {E: {Type: Schedule, Properties: {Schedule: rate(1 minutes)}}}"),
            "",
            9,
            "rate(1 minute)",
        ),
        (
            function("Events: {E: {Type: Schedule, Properties: {Schedule: rate(5 seconds)}}}"),
            "",
            9,
            "usher.toml under [schedules]",
        ),
        (
            function("Events: {E: {Type: Schedule, Properties: {Schedule: cron(0 12 1 * 2 *)}}}"),
            "",
            9,
            "exclude each other",
        ),
        (
            function(
                "Events: {E: {Type: Schedule, Properties: {Schedule: 'at(2030-01-01T00:00:00)'}}}",
            ),
            "",
            9,
            "only ScheduleV2",
        ),
        (
            function(
                "Events: {E: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 day), ScheduleExpressionTimezone: Mars/Base}}}",
            ),
            "",
            9,
            "no time zone Mars/Base",
        ),
        (
            function(""),
            "[schedules]\n'Worker.Tick' = 'rate(1 second)'\n",
            0,
            "is not a schedule of the template",
        ),
    ]);
}

#[test]
fn mistakes_in_apis_are_reported() {
    let route = |properties: &str, api: &str| {
        function(&format!(
            "Events:\n  E: {{Type: HttpApi, Properties: {properties}}}"
        )) + api
    };
    assert_reported(&[
        (
            route("{Path: a, Method: get}", ""),
            "",
            10,
            "must begin with /",
        ),
        (
            route("{Path: '/{a+}/b', Method: get}", ""),
            "",
            10,
            "Put it last",
        ),
        (
            route("{Path: /a, Method: FETCH}", ""),
            "",
            10,
            "Method is one of",
        ),
        (
            route("{Path: /a, Method: get, ApiId: !Ref Nope}", ""),
            "",
            10,
            "no AWS::Serverless::HttpApi Nope",
        ),
        (
            route("{Path: /a, Method: get, PayloadFormatVersion: '1.0'}", ""),
            "",
            10,
            "only payload format 2.0",
        ),
        (
            route("{Path: /a, Method: get, Auth: {Authorizer: Jwt}}", ""),
            "",
            10,
            "no authorizer Jwt",
        ),
    ]);
}

#[test]
fn several_mistakes_are_reported_in_one_run() {
    let text = function(
        "Timeout: 0\nEvents:\n  A: {Type: Schedule, Properties: {Schedule: never}}\n  B: {Type: Kafka}\nEnvironment: {Variables: {X: !Ref Y}}",
    ) + "Parameters: {P: {Type: String}}\n";
    let lines: Vec<usize> = complaints(&text, "")
        .iter()
        .map(|(line, _)| *line)
        .collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
}

#[test]
fn a_missing_template_is_reported_with_the_remedy() {
    let found = template::load(
        std::path::Path::new("/nowhere/template.yaml"),
        &Project::default(),
    )
    .unwrap_err();
    assert!(
        found[0].to_string().contains("--template FILE"),
        "{}",
        found[0]
    );
}
