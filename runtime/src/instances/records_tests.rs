use super::*;
use sam_template::model::LogFormat;

const ID: &str = "8f5";
const ON_DEMAND: Initialization = Initialization::OnDemand;

fn logging(system: LogLevel) -> Logging {
    Logging {
        format: Some(LogFormat::Json),
        system,
        ..Logging::default()
    }
}

fn report(status: PhaseStatus) -> LogLine {
    let duration = Duration::from_micros(1_230);
    let init = Some(Duration::from_millis(4));
    LogLine::Report {
        duration,
        init,
        memory_mb: 128,
        pid: None,
        status,
    }
}

fn lines(line: &LogLine, system: LogLevel) -> Vec<Value> {
    lines_of(line, system, ON_DEMAND)
}

fn lines_of(line: &LogLine, system: LogLevel, kind: Initialization) -> Vec<Value> {
    let at = "2026-11-29T10:00:00.123456Z".parse().unwrap();
    let peak = Some(3 * 1024 * 1024 + 1);
    let lines = json(line, ID, at, peak, (&logging(system), kind));
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_report_has_duration_init_memory_and_what_went_wrong() {
    let line = text(&report(PhaseStatus::Success), ID, Some(1), ON_DEMAND)
        .unwrap()
        .into_owned();
    assert_eq!(
        line,
        "REPORT RequestId: 8f5\tDuration: 1.23 ms\tBilled Duration: 6 ms\tMemory Size: 128 \
         MB\tMax Memory Used: 1 MB\tInit Duration: 4.00 ms"
    );
    let line = text(
        &report(PhaseStatus::Error("Runtime.ExitError".into())),
        ID,
        None,
        ON_DEMAND,
    )
    .unwrap()
    .into_owned();
    assert!(
        line.ends_with("\tStatus: error\tError Type: Runtime.ExitError"),
        "{line}"
    );
}

#[test]
fn platform_records_have_the_documented_shape() {
    let metrics = serde_json::json!({
        "durationMs": 1.23, "billedDurationMs": 6, "memorySizeMB": 128, "maxMemoryUsedMB": 4,
        "initDurationMs": 4.0 });
    let record = serde_json::json!({ "requestId": ID, "metrics": metrics, "status": "success" });
    let time = "2026-11-29T10:00:00.123Z";
    let whole = serde_json::json!({ "time": time, "type": "platform.report", "record": record });
    assert_eq!(
        lines(&report(PhaseStatus::Success), LogLevel::Info),
        [whole]
    );
    let start = lines(&LogLine::Start, LogLevel::Info).remove(0);
    assert_eq!(
        (&start["type"], &start["record"]["version"]),
        (&Value::from("platform.start"), &Value::from("$LATEST"))
    );
    let failed = lines(&report(PhaseStatus::Timeout), LogLevel::Info).remove(0);
    assert_eq!(failed["record"]["status"], "timeout");
}

#[test]
fn a_report_of_managed_instances_has_the_duration_alone() {
    let kind = Initialization::ManagedInstances;
    let report = report(PhaseStatus::Timeout);
    let line = text(&report, ID, Some(1), kind).unwrap();
    assert_eq!(
        line,
        "REPORT RequestId: 8f5\tDuration: 1.23 ms\tStatus: timeout"
    );
    let record = lines_of(&report, LogLevel::Debug, kind).remove(0);
    assert_eq!(
        record["record"]["metrics"],
        serde_json::json!({ "durationMs": 1.23 })
    );
    let end = LogLine::End {
        duration: Duration::ZERO,
        status: PhaseStatus::Success,
        bytes: 2,
    };
    assert!(lines_of(&end, LogLevel::Debug, kind).is_empty());
    let start = lines_of(&LogLine::InitStart, LogLevel::Debug, kind).remove(0);
    assert_eq!(
        start["record"]["initializationType"],
        "lambda-managed-instances"
    );
}

#[test]
fn levels_of_the_platform_are_those_of_the_documentation() {
    let end = |status: PhaseStatus| LogLine::End {
        duration: Duration::ZERO,
        status,
        bytes: 2,
    };
    let init = |status: PhaseStatus| LogLine::InitEnd {
        duration: Duration::ZERO,
        status,
    };
    let error = || PhaseStatus::Error("Runtime.ExitError".into());
    // the line, and how many records of it DEBUG, INFO and WARN show
    for (line, shown) in [
        (LogLine::Start, [1, 1, 0]),
        (end(PhaseStatus::Success), [1, 0, 0]),
        (end(error()), [1, 1, 1]),
        (report(PhaseStatus::Success), [1, 1, 0]),
        (report(error()), [1, 1, 1]),
        (LogLine::InitStart, [1, 0, 0]),
        (init(PhaseStatus::Success), [2, 0, 0]),
        (init(PhaseStatus::Timeout), [2, 2, 2]),
    ] {
        let found = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn]
            .map(|system| lines(&line, system).len());
        assert_eq!(found, shown, "{line:?}");
    }
}

#[test]
fn a_lines_level_is_its_own_if_it_has_a_time() {
    for (line, level) in [
        (
            r#"{"level": "debug", "timestamp": "2026-11-02T16:51:31.587199Z"}"#,
            LogLevel::Debug,
        ),
        (
            r#"{"time": "2026-11-02T16:51:31Z", "level": "ERROR", "deep": {"level": "debug"}}"#,
            LogLevel::Error,
        ),
        (
            r#"{"@timestamp": "2026-11-02T16:51:31+01:00", "level": "Trace"}"#,
            LogLevel::Trace,
        ),
        (
            r#"{"timestamp": "2026-11-02T16:51:31Z", "level": "warning"}"#,
            LogLevel::Warn,
        ),
        (r#"{"level": "debug"}"#, LogLevel::Info),
        (
            r#"{"level": "debug", "timestamp": "yesterday"}"#,
            LogLevel::Info,
        ),
        (
            r#"{"level": 20, "timestamp": "2026-11-02T16:51:31Z"}"#,
            LogLevel::Info,
        ),
        (
            r#"{"level": "loud", "timestamp": "2026-11-02T16:51:31Z"}"#,
            LogLevel::Info,
        ),
        ("debug: plain text", LogLevel::Info),
        ("{not json", LogLevel::Info),
    ] {
        assert_eq!(level_of(line), level, "{line}");
    }
}

#[test]
fn an_error_that_the_function_reports_is_no_failure_of_the_sandbox() {
    let error = |kind: &str| {
        Outcome::Error(FunctionError {
            error_type: kind.into(),
            message: String::new(),
            body: bytes::Bytes::new(),
        })
    };
    assert_eq!(PhaseStatus::of(&error("Oops"), true), PhaseStatus::Success);
    assert_eq!(
        PhaseStatus::of(&error("Runtime.ExitError"), false),
        PhaseStatus::Error("Runtime.ExitError".into())
    );
    assert_eq!(
        PhaseStatus::of(&error("Sandbox.Timedout"), false),
        PhaseStatus::Timeout
    );
}
