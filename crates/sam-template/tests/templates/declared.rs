//! Sources of events that usher.toml declares.

use crate::fixture::{ENDPOINT, assert_reported, complaints, function, good};

const DECLARED: &str = "[sources.cache]\ntype = 'Stream'\nfunction = 'Worker'\n";

#[test]
fn declared_sources_are_those_of_functions_that_run() {
    let application = good(&function(""), DECLARED);
    let ids: Vec<&str> = application
        .declared
        .iter()
        .map(|source| source.id.as_str())
        .collect();
    assert_eq!(ids, ["cache"]);
    let switched_off = "  Off:\n    Type: AWS::Serverless::Function\n    Condition: Never\n\
                        Conditions: {Never: !Equals [a, b]}\n";
    let skipped = "  Off:\n    Type: AWS::Serverless::Function\n    Properties: \
                   {CodeUri: worker, Handler: app.run, Runtime: python3.13}\n";
    for other in [switched_off, skipped] {
        let settings = format!("{DECLARED}[sources.off]\ntype = 'Stream'\nfunction = 'Off'\n");
        let application = good(&(function("") + other), &settings);
        assert_eq!(application.declared.len(), 1, "{other}");
    }
}

#[test]
fn mistakes_in_declared_sources_are_reported_with_their_line() {
    let queue = "  Jobs: {Type: 'AWS::SQS::Queue'}\n";
    let jobs = function("Events: {Jobs: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}}");
    let jobs = jobs + queue;
    let clash = "[sources.'Worker.Jobs']\ntype = 'Stream'\nfunction = 'Worker'\n";
    let clash = format!("{ENDPOINT}{clash}");
    let tick = function("Events: {Tick: {Type: Schedule, Properties: {Schedule: rate(1 hour)}}}");
    assert_reported(&[
        (
            function(""),
            "[sources.cache]\ntype = 'Stream'\nfunction = 'Worke'\n",
            3,
            "there is no function Worke in the template. Did you mean Worker?",
        ),
        (
            function(""),
            "[sources.Worker]\ntype = 'Stream'\nfunction = 'Worker'\n",
            1,
            "Worker is the name of a function",
        ),
        (jobs, &clash, 3, "Worker.Jobs is the name of a mapping"),
        (
            tick,
            "[sources.'Worker.Tick']\ntype = 'Stream'\nfunction = 'Worker'\n",
            1,
            "Worker.Tick is the name of a schedule",
        ),
        (
            function(""),
            "[sources.host]\ntype = 'Stream'\nfunction = 'Worker'\n",
            1,
            "host is the name of the host",
        ),
        (
            function(""),
            "[sources.cache]\nfunction = 'Worker'\n",
            1,
            "[sources] cache has no type",
        ),
    ]);
}

#[test]
fn a_mistake_hides_no_later_one() {
    let settings = "[sources.Worker]\ntype = 'Stream'\nfunction = 'Worker'\n\
                    [sources.a]\ntype = 'Stream'\nfunction = 'Absent'\n\
                    [sources.b]\ntype = 'Stream'\nfunction = 'Missing'\n";
    let problems = complaints(&function(""), settings);
    let lines: Vec<usize> = problems.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [1, 6, 9], "{problems:?}");
}
