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
    let expression = Expression::parse(expression).unwrap();
    let zone = zone(zone_name).unwrap();
    let start = at(after);
    let next = |last: &Timestamp| expression.next(start, *last, &zone);
    std::iter::successors(next(&start), next)
        .take(count)
        .map(|t| t.to_string())
        .collect()
}

#[test]
fn cron_fires_as_eventbridge_documents() {
    let table = [
        (
            "cron(0 10 * * ? *)",
            "2026-01-01T00:00:00Z",
            ["2026-01-01T10:00:00Z", "2026-01-02T10:00:00Z"],
        ),
        (
            "cron(15 12 ? * MON-FRI *)",
            "2026-01-02T13:00:00Z",
            ["2026-01-05T12:15:00Z", "2026-01-06T12:15:00Z"],
        ),
        (
            "cron(0/10 * ? * 2-6 *)",
            "2026-01-04T23:59:00Z",
            ["2026-01-05T00:00:00Z", "2026-01-05T00:10:00Z"],
        ),
        (
            "cron(0 8 1 * ? *)",
            "2026-01-01T09:00:00Z",
            ["2026-02-01T08:00:00Z", "2026-03-01T08:00:00Z"],
        ),
        (
            "cron(0 0 L * ? *)",
            "2026-01-31T01:00:00Z",
            ["2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"],
        ),
        // Weekday 6 is Friday; L the last of the month, # the third.
        (
            "cron(0 0 ? * 6L *)",
            "2026-01-01T00:00:00Z",
            ["2026-01-30T00:00:00Z", "2026-02-27T00:00:00Z"],
        ),
        (
            "cron(0 0 ? * 6#3 *)",
            "2026-01-01T00:00:00Z",
            ["2026-01-16T00:00:00Z", "2026-02-20T00:00:00Z"],
        ),
        (
            "cron(0 0 ? * 1 *)",
            "2026-01-01T00:00:00Z",
            ["2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z"],
        ),
        (
            "cron(0 0 ? * L *)",
            "2026-01-01T00:00:00Z",
            ["2026-01-03T00:00:00Z", "2026-01-10T00:00:00Z"],
        ),
        // The weekday nearest the 3rd: a Saturday in January 2026, so the 2nd; a Tuesday in February.
        (
            "cron(0 0 3W 1-2 ? 2026)",
            "2026-01-01T00:00:00Z",
            ["2026-01-02T00:00:00Z", "2026-02-03T00:00:00Z"],
        ),
        // Saturday the 1st moves forward and Sunday the 31st back, within the month.
        (
            "cron(0 0 1W 8 ? *)",
            "2026-01-01T00:00:00Z",
            ["2026-08-03T00:00:00Z", "2027-08-02T00:00:00Z"],
        ),
        (
            "cron(0 0 31W 5 ? *)",
            "2026-01-01T00:00:00Z",
            ["2026-05-29T00:00:00Z", "2027-05-31T00:00:00Z"],
        ),
        (
            "cron(0 0 LW 5 ? *)",
            "2026-01-01T00:00:00Z",
            ["2026-05-29T00:00:00Z", "2027-05-31T00:00:00Z"],
        ),
        (
            "cron(0 0 31 * ? *)",
            "2026-01-31T00:00:00Z",
            ["2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"],
        ),
        (
            "cron(0 0 1,15,L * ? *)",
            "2026-02-01T00:00:00Z",
            ["2026-02-15T00:00:00Z", "2026-02-28T00:00:00Z"],
        ),
        (
            "cron(0 0 29 2 ? *)",
            "2026-01-01T00:00:00Z",
            ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"],
        ),
        (
            "cron(0 0 ? * FRI#5 *)",
            "2026-01-31T00:00:00Z",
            ["2026-05-29T00:00:00Z", "2026-07-31T00:00:00Z"],
        ),
        (
            "cron(0 0 ? * fril *)",
            "2026-01-01T00:00:00Z",
            ["2026-01-30T00:00:00Z", "2026-02-27T00:00:00Z"],
        ),
        (
            "cron(5/20 3,9 1 jan ? 2030)",
            "2026-01-01T00:00:00Z",
            ["2030-01-01T03:05:00Z", "2030-01-01T03:25:00Z"],
        ),
        (
            "cron(59 23 31 12 ? *)",
            "2026-12-31T23:58:30Z",
            ["2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z"],
        ),
        (
            "cron(0 0 1 1 ? 2030/100)",
            "2026-01-01T00:00:00Z",
            ["2030-01-01T00:00:00Z", "2130-01-01T00:00:00Z"],
        ),
    ];
    for (expression, after, expected) in table {
        assert_eq!(
            firings(expression, "UTC", after, 2),
            expected,
            "{expression}"
        );
    }
}

#[test]
fn ranges_that_pass_the_end_go_on_at_the_beginning() {
    let table = [
        // AWS' own example: every 30 minutes from 20:00 to 02:59, Monday (a 5th) to Friday.
        (
            "cron(0/30 20-2 ? * MON-FRI *)",
            "2026-01-05T02:29:00Z",
            ["2026-01-05T02:30:00Z", "2026-01-05T20:00:00Z"],
        ),
        (
            "cron(0 20-2/3 * * ? *)",
            "2026-01-01T00:00:00Z",
            ["2026-01-01T02:00:00Z", "2026-01-01T20:00:00Z"],
        ),
        (
            "cron(50-10/10 0 1 1 ? *)",
            "2026-01-01T00:00:00Z",
            ["2026-01-01T00:10:00Z", "2026-01-01T00:50:00Z"],
        ),
        (
            "cron(0 0 ? * SAT-SUN *)",
            "2026-01-01T00:00:00Z",
            ["2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"],
        ),
        (
            "cron(0 0 ? * 6-2 *)",
            "2026-01-05T00:00:00Z",
            ["2026-01-09T00:00:00Z", "2026-01-10T00:00:00Z"],
        ),
        (
            "cron(0 0 ? * fri-mon *)",
            "2026-01-04T00:00:00Z",
            ["2026-01-05T00:00:00Z", "2026-01-09T00:00:00Z"],
        ),
        (
            "cron(0 0 1 NOV-FEB ? *)",
            "2026-02-01T00:00:00Z",
            ["2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"],
        ),
        (
            "cron(0 0 1 11-2 ? *)",
            "2026-12-01T00:00:00Z",
            ["2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"],
        ),
        (
            "cron(0 0 30-2 * ? *)",
            "2026-04-02T00:00:00Z",
            ["2026-04-30T00:00:00Z", "2026-05-01T00:00:00Z"],
        ),
    ];
    for (expression, after, expected) in table {
        assert_eq!(
            firings(expression, "UTC", after, 2),
            expected,
            "{expression}"
        );
    }
}

#[test]
fn cron_takes_what_the_service_documents_only() {
    for (field, wrong) in [
        (
            0,
            "60 -1 a ? L W 1#1 5/0 5/ /5 1-60 1- 1,,2 MON 0-5-6 +1 1.5",
        ),
        (1, "24 ? L 20-24 JAN 1/0"),
        (2, "0 32 MON 0W 32W W 1#1 L-3 1-2W 5L"),
        (3, "0 13 ? L MON JANUARY 1#1"),
        (
            4,
            "0 8 0L 8L L1 MONDAY JAN 6#0 6#6 6# #1 3#1,6#3 MON#1,TUE 6#1L 2W 1-5L",
        ),
        (5, "1969 2200 0 26 1900-2100 2030-2029 2190-2205 ? L 2026/0"),
    ] {
        for wrong in wrong.split(' ') {
            let mut fields = ["0", "0", "*", "*", "?", "*"];
            if field == 4 {
                fields[2] = "?";
            }
            fields[field] = wrong;
            let text = format!("cron({})", fields.join(" "));
            assert!(
                matches!(Expression::parse(&text), Err(ScheduleError::Field { .. })),
                "{text}: {:?}",
                Expression::parse(&text)
            );
        }
    }
    for text in [
        "cron(* * * * * *)",
        "cron(0 0 1 * MON *)",
        "cron(0 0 ? * ? *)",
        "cron(0 0 * * ?)",
        "cron(0 0 0 * * ? *)",
        "cron()",
    ] {
        assert!(Expression::parse(text).is_err(), "{text}");
    }
    for text in [
        "cron(* * * * ? 1970-2199)",
        "cron(0 0 ? * SUN,2,3-SAT,6L *)",
        "cron(*/5 */2 */3 */4 ? 2026,2030-2032)",
    ] {
        assert!(Expression::parse(text).is_ok(), "{text}");
    }
}

#[test]
fn at_takes_one_format() {
    for wrong in [
        "2026-12-01T13:00:00+02:00",
        "2026-12-01T13:00:00Z",
        "2026-12-01T13:00:00z",
        "2026-12-01T13:00:00.5",
        "2026-12-01T13:00:00,5",
        "2026-12-01T13:00",
        "2026-12-01T13",
        "2026-12-01",
        "2026-12-01 13:00:00",
        "2026-12-01t13:00:00",
        " 2026-12-01T13:00:00",
        "2026-12-01T13:00:00 ",
        "20261201T130000",
        "2026-12-01T13:00:00[Europe/Madrid]",
        "2026-12-01T13:00:60",
        "2026-02-29T13:00:00",
        "2026-12-01T24:00:00",
        "+02026-12-01T13:00:00",
        "",
    ] {
        let error = Expression::parse(&format!("at({wrong})")).unwrap_err();
        assert_eq!(error, ScheduleError::At, "{wrong}");
    }
    assert!(
        ScheduleError::At
            .to_string()
            .contains("ScheduleExpressionTimezone")
    );
    assert_eq!(
        firings("at(2028-02-29T23:59:59)", "UTC", "2026-01-01T00:00:00Z", 2),
        ["2028-02-29T23:59:59Z"]
    );
}

#[test]
fn a_template_has_no_rate_in_seconds() {
    for text in [
        "rate(1 second)",
        "rate(59 seconds)",
        "rate(60 seconds)",
        "rate(120 seconds)",
        "rate(86400 seconds)",
    ] {
        let expression = Expression::parse(text).unwrap();
        for kind in [ScheduleKind::Rule, ScheduleKind::Scheduler] {
            assert_eq!(
                expression.allowed_on(kind),
                Err(ScheduleError::Seconds),
                "{text}"
            );
        }
    }
    // the advice is not a form that would be refused next
    for text in ["rate(1 seconds)", "rate(2 second)"] {
        let advice = Expression::parse(text).unwrap_err().to_string();
        assert!(
            advice.contains("minutes, hours or days in a template")
                && advice.contains("only in usher.toml"),
            "{advice}"
        );
    }
    for text in [
        "rate(1 minute)",
        "rate(60 minutes)",
        "rate(1 hour)",
        "rate(7 days)",
    ] {
        assert_eq!(
            Expression::parse(text)
                .unwrap()
                .allowed_on(ScheduleKind::Rule),
            Ok(()),
            "{text}"
        );
    }
    for text in [
        "rate(+5 minutes)",
        "rate(-5 minutes)",
        "rate(1.5 hours)",
        "rate(0 days)",
        "rate(5minutes)",
        "rate(5)",
        "rate(5 weeks)",
    ] {
        assert_eq!(
            Expression::parse(text).unwrap_err(),
            ScheduleError::Rate,
            "{text}"
        );
    }
}

#[test]
fn dates_are_times_with_or_without_an_offset() {
    for (text, expected) in [
        ("2030-01-31T12:00:00Z", "2030-01-31T12:00:00Z"),
        ("2030-01-31T12:00:00", "2030-01-31T12:00:00Z"),
        ("2030-01-31T12:00:00+02:00", "2030-01-31T10:00:00Z"),
        ("2030-01-31T12:00:00-00:30", "2030-01-31T12:30:00Z"),
        ("2030-01-31T12:00:00.5Z", "2030-01-31T12:00:00.5Z"),
        ("2030-01-31T12:00:00.250", "2030-01-31T12:00:00.25Z"),
    ] {
        assert_eq!(instant(text), Some(at(expected)), "{text}");
    }
    for wrong in [
        "2030-01-31",
        "2030-01-31T12:00",
        "2030-01-31 12:00:00Z",
        "2030-01-31T12:00:00+02",
        "2030-01-31T12:00:00+0200",
        "2030-01-31T12:00:00.Z",
        "2030-01-31T12:00:00.1.2Z",
        "2030-01-31T12:00:00Z[UTC]",
        "2030-01-31T12:00:00+02:00[Europe/Madrid]",
        "2030-02-30T12:00:00Z",
        "1893499200",
        "tomorrow",
        "2030-01-31T12:00:0\u{e9}",
    ] {
        assert_eq!(instant(wrong), None, "{wrong}");
    }
}

#[test]
fn a_schedule_that_is_over_never_fires_again() {
    assert!(firings("cron(0 0 1 1 ? 2025)", "UTC", "2026-01-01T00:00:00Z", 1).is_empty());
    assert!(firings("at(2025-01-01T00:00:00)", "UTC", "2026-01-01T00:00:00Z", 1).is_empty());
    assert_eq!(
        firings(
            "at(2026-07-01T12:00:00)",
            "Europe/Madrid",
            "2026-01-01T00:00:00Z",
            2
        ),
        ["2026-07-01T10:00:00Z"]
    );
}

#[test]
fn local_times_that_do_not_exist_are_skipped_and_repeated_ones_fire_once() {
    // Madrid: 02:00-03:00 is missing on 2026-03-29 and comes twice on 2026-10-25.
    assert_eq!(
        firings(
            "cron(30 2 * * ? *)",
            "Europe/Madrid",
            "2026-03-28T00:00:00Z",
            3
        ),
        [
            "2026-03-28T01:30:00Z",
            "2026-03-30T00:30:00Z",
            "2026-03-31T00:30:00Z"
        ]
    );
    assert_eq!(
        firings(
            "cron(30 2 * * ? *)",
            "Europe/Madrid",
            "2026-10-24T12:00:00Z",
            2
        ),
        ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    );
    assert_eq!(
        firings(
            "cron(0/30 2-3 * * ? *)",
            "Europe/Madrid",
            "2026-10-25T00:10:00Z",
            3
        ),
        [
            "2026-10-25T00:30:00Z",
            "2026-10-25T02:00:00Z",
            "2026-10-25T02:30:00Z"
        ]
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
        let message = Expression::parse(wrong).unwrap_err().to_string();
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
    let input = r#"{"at": "<aws.scheduler.scheduled-time>", "arn": "<aws.scheduler.schedule-arn>", "n": <aws.scheduler.attempt-number>,
        "id": "<aws.scheduler.execution-id>/<aws.scheduler.execution-id>", "left": "<aws.scheduler.else> <aws.scheduler."}"#;
    let read: serde_json::Value =
        serde_json::from_str(&sent(ScheduleKind::Scheduler, input)).unwrap();
    let expected = serde_json::json!({
        "at": "2022-03-22T18:59:43Z", "arn": "arn:aws-cn:events:cn-north-1:123456789012:rule/x", "n": 7,
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
        seen::missed(
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
        seen::shown(count("rate(1 minute)", "UTC", |_| {})),
        "more than 1000"
    );
}

#[test]
fn a_rate_with_a_start_date_fires_at_that_date_first() {
    let start = at("2026-01-01T12:00:00Z");
    let before = start - SignedDuration::from_nanos(1);
    let rate = Expression::parse("rate(1 hour)").unwrap();
    assert_eq!(rate.next(start, before, &TimeZone::UTC), Some(start));
    assert_eq!(
        rate.next(start, start, &TimeZone::UTC),
        Some(at("2026-01-01T13:00:00Z"))
    );
}

proptest! {
    #[test]
    fn rates_keep_their_beat_from_the_start(seconds in 1i64..1_000_000, gone in 0i64..10_000_000_000) {
        let interval = SignedDuration::from_secs(seconds);
        let start = at("2026-01-01T00:00:00Z");
        let after = start + SignedDuration::from_millis(gone);
        let next = Expression::Rate { every: interval, in_seconds: true }.next(start, after, &TimeZone::UTC).unwrap();
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
