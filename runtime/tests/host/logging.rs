//! `LoggingConfig`: format and filters of a function's log.

use sam_template::model::{Function, LogFormat, LogLevel, Logging};
use serde_json::{Value, json};
use testkit::eventually;
use usher::instances::Pool;

use crate::support::{Printed, answer, application, error, executables, function, invoke, options};
use crate::template_fixture::{self, complaints, good};

fn json_logging(application: LogLevel, system: LogLevel) -> Logging {
    Logging {
        format: Some(LogFormat::Json),
        application,
        system,
        ..Logging::default()
    }
}

fn start(logging: Logging) -> (std::sync::Arc<Pool>, Printed) {
    let (options, printed) = options();
    (
        Pool::new(
            &application(Function {
                logging,
                ..function(&[])
            }),
            &executables(),
            &options,
        ),
        printed,
    )
}

/// What stands behind the function's name and the request's id, once there are lines of this kind.
async fn lines(printed: &Printed, kind: &str) -> Vec<String> {
    let text = eventually("the last line is written", async || {
        let text = printed.text();
        text.contains(kind).then_some(text)
    })
    .await;
    text.lines()
        .map(|line| line.split_once(" | ").unwrap().1.to_owned())
        .collect()
}

#[tokio::test]
async fn json_format_makes_platform_records() {
    let (pool, printed) = start(json_logging(LogLevel::Info, LogLevel::Debug));
    let response = invoke(&pool, json!({"do": "echo", "text": "hello"})).await;
    let seen = answer(&invoke(&pool, json!({"do": "environment"})).await);
    assert_eq!(
        (
            &seen["AWS_LAMBDA_LOG_FORMAT"],
            &seen["AWS_LAMBDA_LOG_LEVEL"]
        ),
        (&json!("JSON"), &json!("INFO"))
    );
    let found = lines(&printed, "platform.report").await;
    let records: Vec<Value> = found
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let of = |kind: &str| {
        records
            .iter()
            .find(|record| record["type"] == kind)
            .unwrap_or_else(|| panic!("{kind}: {found:?}"))
    };
    for kind in [
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.initReport",
    ] {
        assert_eq!(of(kind)["record"]["initializationType"], "on-demand");
    }
    let id = &response.request_id;
    assert_eq!(
        of("platform.start")["record"],
        json!({ "requestId": id, "version": "$LATEST" })
    );
    assert_eq!(of("platform.runtimeDone")["record"]["status"], "success");
    let report = of("platform.report");
    assert_eq!(
        (&report["record"]["requestId"], &report["record"]["status"]),
        (&json!(id), &json!("success"))
    );
    for metric in [
        "durationMs",
        "billedDurationMs",
        "memorySizeMB",
        "maxMemoryUsedMB",
        "initDurationMs",
    ] {
        assert!(
            report["record"]["metrics"][metric].is_number(),
            "{metric}: {report}"
        );
    }
    assert!(report["time"].as_str().unwrap().ends_with('Z'), "{report}");
    assert!(
        found
            .iter()
            .all(|line| !line.starts_with("START ") && !line.starts_with("REPORT ")),
        "{found:?}"
    );
}

#[tokio::test]
async fn levels_leave_lines_out() {
    let (pool, printed) = start(json_logging(LogLevel::Warn, LogLevel::Warn));
    let line = |level: &str| {
        json!({ "level": level, "timestamp": "2026-11-29T10:00:00Z", "message": level }).to_string()
    };
    for level in ["DEBUG", "info", "WARN", "error"] {
        answer(&invoke(&pool, json!({ "do": "print", "line": line(level) })).await);
    }
    let (kind, _) = error(&invoke(&pool, json!({"do": "exit"})).await);
    assert_eq!(kind, "Runtime.ExitError");
    let found = lines(&printed, "platform.report").await;
    let records: Vec<Value> = found
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let levels: Vec<&str> = records
        .iter()
        .filter_map(|record| record["level"].as_str())
        .collect();
    assert_eq!(
        levels,
        ["WARN", "error", "ERROR"],
        "the last is the host's: {found:?}"
    );
    let kinds: Vec<&str> = records
        .iter()
        .filter_map(|record| record["type"].as_str())
        .collect();
    assert_eq!(
        kinds,
        ["platform.runtimeDone", "platform.report"],
        "those of the failure alone"
    );
    let record = &records.last().unwrap()["record"];
    assert_eq!(
        (&record["status"], &record["errorType"]),
        (&json!("error"), &json!("Runtime.ExitError"))
    );
}

#[tokio::test]
async fn a_text_report_says_what_went_wrong() {
    let (pool, printed) = start(Logging::default());
    error(&invoke(&pool, json!({"do": "exit"})).await);
    let found = lines(&printed, "REPORT RequestId").await;
    let report = found
        .iter()
        .find(|line| line.starts_with("REPORT "))
        .unwrap();
    assert!(
        report.ends_with("\tStatus: error\tError Type: Runtime.ExitError"),
        "{report}"
    );
}

#[test]
fn a_logging_configuration_overrides_globals() {
    let text = template_fixture::function(
        "LoggingConfig: {ApplicationLogLevel: DEBUG, LogGroup: !Ref Logs}",
    ) + "  Logs: {Type: 'AWS::Logs::LogGroup'}\n\
           Globals: {Function: {LoggingConfig: {LogFormat: JSON, SystemLogLevel: WARN, \
           ApplicationLogLevel: ERROR}}}\n";
    let logging = good(&text, "stack = 'shop'").functions["Worker"]
        .logging
        .clone();
    assert_eq!(
        (logging.format, logging.application, logging.system),
        (Some(LogFormat::Json), LogLevel::Debug, LogLevel::Warn)
    );
    assert!(logging.group.is_some_and(|group| group.contains("Logs")));
    assert_eq!(
        good(&template_fixture::function(""), "").functions["Worker"].logging,
        Logging::default()
    );
    for (written, words) in [
        ("LogFormat: json", "LogFormat is Text or JSON, not 'json'"),
        ("ApplicationLogLevel: INFO", "needs LogFormat JSON"),
        (
            "LogFormat: Text, SystemLogLevel: WARN",
            "Remove LogLevel|needs LogFormat JSON",
        ),
        (
            "LogFormat: JSON, SystemLogLevel: ERROR",
            "DEBUG or INFO or WARN",
        ),
        (
            "LogFormat: JSON, LogGroup: 'arn:aws:logs:x'",
            "cannot name a log group",
        ),
        ("LogFormat: JSON, LogGruop: x", "Did you mean LogGroup?"),
    ] {
        let found = complaints(
            &template_fixture::function(&format!("LoggingConfig: {{{written}}}")),
            "",
        );
        assert!(
            found[0].0 == 9 && words.split('|').any(|words| found[0].1.contains(words)),
            "{written}: {found:?}"
        );
    }
    let found = complaints(&template_fixture::function("LoggingConfig: JSON"), "");
    assert!(
        matches!(&found[..], [(9, message)] if message.contains("must be a mapping")),
        "{found:?}"
    );
}
