//! What schedules send, and how many firings were missed.

use jiff::Timestamp;

use super::*;
use sam_template::model::ScheduleKind;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn schedule(kind: ScheduleKind, input: Option<&str>) -> Schedule {
    Schedule {
        id: "F.Tick".into(),
        function: "F".into(),
        expression: "rate(1 minute)".into(),
        timezone: "UTC".into(),
        input: input.map(str::to_owned),
        kind,
        enabled: true,
        start: None,
        end: None,
        arn: "arn:aws-cn:events:cn-north-1:123456789012:rule/x".into(),
    }
}

fn attempt(scheduled: &str) -> payload::Attempt {
    payload::Attempt {
        scheduled: at(scheduled),
        number: 7,
        execution: 0xd32c_5bb8,
        event: 1,
    }
}

#[test]
fn context_attributes_of_scheduler_are_replaced_in_input() {
    let sent = |kind, input: &str| {
        let payload = payload::event(
            &schedule(kind, Some(input)),
            &attempt("2022-03-22T18:59:43.25Z"),
        );
        String::from_utf8(payload.to_vec()).unwrap()
    };
    let input = r#"{"at": "<aws.scheduler.scheduled-time>", "arn": "<aws.scheduler.schedule-arn>",
        "n": <aws.scheduler.attempt-number>,
        "id": "<aws.scheduler.execution-id>/<aws.scheduler.execution-id>",
        "left": "<aws.scheduler.else> <aws.scheduler."}"#;
    let read: serde_json::Value =
        serde_json::from_str(&sent(ScheduleKind::Scheduler, input)).unwrap();
    let expected = serde_json::json!({
        "at": "2022-03-22T18:59:43Z",
        "arn": "arn:aws-cn:events:cn-north-1:123456789012:rule/x",
        "n": 7,
        "id": "00000000d32c5bb8/00000000d32c5bb8", "left": "<aws.scheduler.else> <aws.scheduler.",
    });
    assert_eq!(read, expected);
    assert_eq!(
        sent(ScheduleKind::Scheduler, "<aws.scheduler.scheduled-time>"),
        "\"2022-03-22T18:59:43Z\""
    );
    let rule = "\"<aws.scheduler.scheduled-time>\"";
    assert_eq!(
        sent(ScheduleKind::Rule, rule),
        rule,
        "rules have no context attributes"
    );
}

#[test]
fn each_service_sends_its_own_payload() {
    let sent = |kind, input| -> serde_json::Value {
        serde_json::from_slice(&payload::event(
            &schedule(kind, input),
            &attempt("2026-01-01T10:00:00Z"),
        ))
        .unwrap()
    };
    let rule = sent(ScheduleKind::Rule, None);
    assert_eq!(
        (&rule["source"], &rule["detail"]),
        (&"aws.events".into(), &serde_json::json!({}))
    );
    assert_eq!(
        (&rule["time"], &rule["resources"][0]),
        (
            &"2026-01-01T10:00:00Z".into(),
            &"arn:aws-cn:events:cn-north-1:123456789012:rule/x".into()
        )
    );
    assert_eq!(
        (&rule["region"], &rule["account"]),
        (&"cn-north-1".into(), &"123456789012".into())
    );
    let scheduler = sent(ScheduleKind::Scheduler, None);
    assert_eq!(
        (&scheduler["source"], &scheduler["detail"]),
        (&"aws.scheduler".into(), &"{}".into())
    );
    assert_eq!(
        sent(ScheduleKind::Scheduler, Some("{\"a\": 1}")),
        serde_json::json!({"a": 1})
    );
    assert_eq!(
        sent(ScheduleKind::Scheduler, Some("plain")),
        serde_json::json!("plain")
    );
}

#[test]
fn what_passed_while_no_host_ran_is_counted_within_the_dates() {
    let count = |text: &str, zone_name: &str, change: fn(&mut Schedule)| {
        let mut schedule = schedule(ScheduleKind::Scheduler, None);
        change(&mut schedule);
        let since = at("2026-01-01T00:00:30Z");
        let until = at("2026-01-03T00:00:30Z");
        missed::count(
            &schedule,
            &Expression::parse(text).unwrap(),
            &zone(zone_name).unwrap(),
            since,
            until,
        )
    };
    assert_eq!(count("cron(0 12 * * ? *)", "UTC", |_| {}), 2);
    assert_eq!(
        count("rate(6 hours)", "UTC", |_| {}),
        7,
        "the one due now is not missed"
    );
    assert_eq!(
        count("rate(1 hour)", "UTC", |s| s.start =
            Some(at("2026-01-02T22:00:00Z"))),
        3
    );
    assert_eq!(
        count("cron(0 12 * * ? *)", "UTC", |s| s.end =
            Some(at("2026-01-02T00:00:00Z"))),
        1
    );
    assert_eq!(count("at(2026-01-02T01:00:00)", "Europe/Madrid", |_| {}), 1);
    assert_eq!(
        missed::format_count(count("rate(1 minute)", "UTC", |_| {})),
        "more than 1000"
    );
}
