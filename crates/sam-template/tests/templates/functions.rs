//! Functions and their environment.

use sam_template::model::Code;
use sam_template::project::Arguments;

use crate::fixture::{Folder, complaints, function, good};

#[test]
fn a_function_has_lambdas_defaults() {
    let app = good(
        &function(
            "Timeout: 60\nReservedConcurrentExecutions: 2\nEnvironment: \
             {Variables: {SIZE: 3, OPEN: true}}",
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
fn reserved_variables_are_refused_everywhere() {
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
            matches!(&found[..], [(11, message)] if message.contains("Reserved keys used in this \
                request")),
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
fn a_variable_with_a_remote_host_is_a_warning() {
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
fn unsupported_resources_are_warnings() {
    let text = function(
        "Layers: [x]\nVpcConfig: {}\nEvents:\n  N: \
         {Type: SNS, Properties: {Topic: x}}\n  T: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}",
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
fn a_concurrency_of_zero_is_a_warning() {
    let app = good(&function("ReservedConcurrentExecutions: 0"), "");
    assert!(
        app.warnings
            .iter()
            .any(|w| w.line > 0 && w.message.contains("never runs")),
        "{:?}",
        app.warnings
    );
}
