//! When schedules fire, and what they send.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::model::ScheduleKind;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next `count` firings after a time.
fn firings(expression: &str, zone_name: &str, after: &str, count: usize) -> Vec<String> {
    let (expression, zone) = (Expression::parse(expression).unwrap(), zone(zone_name).unwrap());
    let start = at(after);
    let next = |last: &Timestamp| expression.next(start, *last, &zone);
    std::iter::successors(next(&start), next).take(count).map(|t| t.to_string()).collect()
}

#[test]
fn cron_fires_as_eventbridge_documents() {
    let table = [
        ("cron(0 10 * * ? *)", "2026-01-01T00:00:00Z", ["2026-01-01T10:00:00Z", "2026-01-02T10:00:00Z"]),
        ("cron(15 12 ? * MON-FRI *)", "2026-01-02T13:00:00Z", ["2026-01-05T12:15:00Z", "2026-01-06T12:15:00Z"]),
        ("cron(0/10 * ? * 2-6 *)", "2026-01-04T23:59:00Z", ["2026-01-05T00:00:00Z", "2026-01-05T00:10:00Z"]),
        ("cron(0 8 1 * ? *)", "2026-01-01T09:00:00Z", ["2026-02-01T08:00:00Z", "2026-03-01T08:00:00Z"]),
        ("cron(0 0 L * ? *)", "2026-01-31T01:00:00Z", ["2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"]),
        // Weekday 6 is Friday; L the last of the month, # the third.
        ("cron(0 0 ? * 6L *)", "2026-01-01T00:00:00Z", ["2026-01-30T00:00:00Z", "2026-02-27T00:00:00Z"]),
        ("cron(0 0 ? * 6#3 *)", "2026-01-01T00:00:00Z", ["2026-01-16T00:00:00Z", "2026-02-20T00:00:00Z"]),
        ("cron(0 0 ? * 1 *)", "2026-01-01T00:00:00Z", ["2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z"]),
        ("cron(0 0 ? * L *)", "2026-01-01T00:00:00Z", ["2026-01-03T00:00:00Z", "2026-01-10T00:00:00Z"]),
        // The weekday nearest the 3rd: a Saturday in January 2026, so the 2nd; a Tuesday in February.
        ("cron(0 0 3W 1-2 ? 2026)", "2026-01-01T00:00:00Z", ["2026-01-02T00:00:00Z", "2026-02-03T00:00:00Z"]),
    ];
    for (expression, after, expected) in table {
        assert_eq!(firings(expression, "UTC", after, 2), expected, "{expression}");
    }
}

#[test]
fn a_schedule_that_is_over_never_fires_again() {
    assert!(firings("cron(0 0 1 1 ? 2025)", "UTC", "2026-01-01T00:00:00Z", 1).is_empty());
    assert!(firings("at(2025-01-01T00:00:00)", "UTC", "2026-01-01T00:00:00Z", 1).is_empty());
    assert_eq!(firings("at(2026-07-01T12:00:00)", "Europe/Madrid", "2026-01-01T00:00:00Z", 2), ["2026-07-01T10:00:00Z"]);
}

#[test]
fn local_times_that_do_not_exist_are_skipped_and_repeated_ones_fire_once() {
    // Madrid: 02:00-03:00 is missing on 2026-03-29 and comes twice on 2026-10-25.
    assert_eq!(
        firings("cron(30 2 * * ? *)", "Europe/Madrid", "2026-03-28T00:00:00Z", 3),
        ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z", "2026-03-31T00:30:00Z"]
    );
    assert_eq!(
        firings("cron(30 2 * * ? *)", "Europe/Madrid", "2026-10-24T12:00:00Z", 2),
        ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    );
    assert_eq!(
        firings("cron(0/30 2-3 * * ? *)", "Europe/Madrid", "2026-10-25T00:10:00Z", 3),
        ["2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z", "2026-10-25T02:30:00Z"]
    );
}

#[test]
fn wrong_expressions_say_what_to_write() {
    for (wrong, remedy) in [
        ("", "rate(5 minutes)"),
        ("rate(0 minutes)", "rate(1 minute)"),
        ("rate(2 minute)", "rate(2 minutes)"),
        ("rate(1 fortnight)", "rate(1 minute)"),
        ("cron(* * * * *)", "six"),
        ("cron(0 0 ? * ? *)", "* for the day of month"),
        ("cron(61 * * * ? *)", "minute, hour"),
        ("at(tomorrow)", "at(2030-01-31T12:00:00)"),
    ] {
        let message = Expression::parse(wrong).unwrap_err();
        assert!(message.contains(remedy), "{wrong}: {message}");
    }
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
    payload::Attempt { scheduled: at(scheduled), number: 7, execution: 0xd32c_5bb8, event: 1 }
}

#[test]
fn context_attributes_of_scheduler_are_replaced_in_input() {
    let sent = |kind, input: &str| {
        let payload = payload::event(&schedule(kind, Some(input)), &attempt("2022-03-22T18:59:43.25Z"));
        String::from_utf8(payload.to_vec()).unwrap()
    };
    let input = r#"{"at": "<aws.scheduler.scheduled-time>", "arn": "<aws.scheduler.schedule-arn>", "n": <aws.scheduler.attempt-number>,
        "id": "<aws.scheduler.execution-id>/<aws.scheduler.execution-id>", "left": "<aws.scheduler.else> <aws.scheduler."}"#;
    let read: serde_json::Value = serde_json::from_str(&sent(ScheduleKind::Scheduler, input)).unwrap();
    let expected = serde_json::json!({
        "at": "2022-03-22T18:59:43Z", "arn": "arn:aws-cn:events:cn-north-1:123456789012:rule/x", "n": 7,
        "id": "00000000d32c5bb8/00000000d32c5bb8", "left": "<aws.scheduler.else> <aws.scheduler.",
    });
    assert_eq!(read, expected);
    assert_eq!(sent(ScheduleKind::Scheduler, "<aws.scheduler.scheduled-time>"), "\"2022-03-22T18:59:43Z\"");
    let rule = "\"<aws.scheduler.scheduled-time>\"";
    assert_eq!(sent(ScheduleKind::Rule, rule), rule, "rules have no context attributes");
}

#[test]
fn each_service_sends_its_own_payload() {
    let sent = |kind, input| -> serde_json::Value {
        serde_json::from_slice(&payload::event(&schedule(kind, input), &attempt("2026-01-01T10:00:00Z"))).unwrap()
    };
    let rule = sent(ScheduleKind::Rule, None);
    assert_eq!((&rule["source"], &rule["detail"]), (&"aws.events".into(), &serde_json::json!({})));
    assert_eq!(
        (&rule["time"], &rule["resources"][0]),
        (&"2026-01-01T10:00:00Z".into(), &"arn:aws-cn:events:cn-north-1:123456789012:rule/x".into())
    );
    assert_eq!((&rule["region"], &rule["account"]), (&"cn-north-1".into(), &"123456789012".into()));
    let scheduler = sent(ScheduleKind::Scheduler, None);
    assert_eq!((&scheduler["source"], &scheduler["detail"]), (&"aws.scheduler".into(), &"{}".into()));
    assert_eq!(sent(ScheduleKind::Scheduler, Some("{\"a\": 1}")), serde_json::json!({"a": 1}));
    assert_eq!(sent(ScheduleKind::Scheduler, Some("plain")), serde_json::json!("plain"));
}

#[test]
fn what_passed_while_no_host_ran_is_counted_within_the_dates() {
    let count = |text: &str, zone_name: &str, change: fn(&mut Schedule)| {
        let mut schedule = schedule(ScheduleKind::Scheduler, None);
        change(&mut schedule);
        let (since, until) = (at("2026-01-01T00:00:30Z"), at("2026-01-03T00:00:30Z"));
        seen::missed(&schedule, &Expression::parse(text).unwrap(), &zone(zone_name).unwrap(), since, until)
    };
    assert_eq!(count("cron(0 12 * * ? *)", "UTC", |_| {}), 2);
    assert_eq!(count("rate(6 hours)", "UTC", |_| {}), 7, "the one due now is not missed");
    assert_eq!(count("rate(1 hour)", "UTC", |s| s.start = Some(at("2026-01-02T22:00:00Z"))), 3);
    assert_eq!(count("cron(0 12 * * ? *)", "UTC", |s| s.end = Some(at("2026-01-02T00:00:00Z"))), 1);
    assert_eq!(count("at(2026-01-02T01:00:00)", "Europe/Madrid", |_| {}), 1);
    assert_eq!(seen::shown(count("rate(1 minute)", "UTC", |_| {})), "more than 1000");
}

#[test]
fn a_rate_with_a_start_date_fires_at_that_date_first() {
    let start = at("2026-01-01T12:00:00Z");
    let before = start - SignedDuration::from_nanos(1);
    let rate = Expression::parse("rate(1 hour)").unwrap();
    assert_eq!(rate.next(start, before, &TimeZone::UTC), Some(start));
    assert_eq!(rate.next(start, start, &TimeZone::UTC), Some(at("2026-01-01T13:00:00Z")));
}

proptest! {
    #[test]
    fn rates_keep_their_beat_from_the_start(seconds in 1i64..1_000_000, gone in 0i64..10_000_000_000) {
        let interval = SignedDuration::from_secs(seconds);
        let start = at("2026-01-01T00:00:00Z");
        let after = start + SignedDuration::from_millis(gone);
        let next = Expression::Rate(interval).next(start, after, &TimeZone::UTC).unwrap();
        prop_assert!(next > after && next.duration_since(after) <= interval);
        prop_assert_eq!(next.duration_since(start).as_millis() % interval.as_millis(), 0);
    }

    #[test]
    fn cron_only_goes_forward_and_only_to_times_that_fit(
        minute in 0u8..60, hour in 0u8..24, day in 1u8..29, start in 1_700_000_000i64..2_000_000_000,
        zone_name in prop::sample::select(vec!["UTC", "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    ) {
        let expression = Expression::parse(&format!("cron({minute} {hour} {day} * ? *)")).unwrap();
        let zone = zone(zone_name).unwrap();
        let mut last = Timestamp::from_second(start).unwrap();
        for _ in 0..5 {
            let next = expression.next(last, last, &zone).unwrap();
            prop_assert!(next > last);
            let civil: DateTime = zone.to_datetime(next);
            prop_assert_eq!((civil.minute() as u8, civil.hour() as u8, civil.day() as u8, civil.second()), (minute, hour, day, 0));
            last = next;
        }
    }
}
