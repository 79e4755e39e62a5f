//! `rate(..)` and `at(..)` expressions, time zones and dates.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Expression, ScheduleError, instant, zone};
use crate::model::ScheduleKind;

const ZONES: [&str; 5] = [
    "UTC",
    "Europe/Madrid",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
];

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next `count` firings after a time.
pub(super) fn firings(expression: &str, zone_name: &str, after: &str, count: usize) -> Vec<String> {
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
    fn rates_count_from_the_start(
        seconds in 1i64..1_000_000, gone in 0i64..10_000_000_000,
    ) {
        let interval = SignedDuration::from_secs(seconds);
        let start = at("2026-01-01T00:00:00Z");
        let after = start + SignedDuration::from_millis(gone);
        let rate = Expression::Rate { every: interval, in_seconds: true };
        let next = rate.next(start, after, &TimeZone::UTC).unwrap();
        prop_assert!(next > after && next.duration_since(after) <= interval);
        prop_assert_eq!(next.duration_since(start).as_millis() % interval.as_millis(), 0);
    }

    #[test]
    fn cron_only_goes_forward_and_only_to_times_that_fit(
        minute in 0u8..60,
        hour in 0u8..24,
        day in 1u8..29,
        start in 1_700_000_000i64..2_000_000_000,
        zone_name in prop::sample::select(ZONES.to_vec()),
    ) {
        let expression = Expression::parse(&format!("cron({minute} {hour} {day} * ? *)")).unwrap();
        let zone = zone(zone_name).unwrap();
        let mut last = Timestamp::from_second(start).unwrap();
        for _ in 0..5 {
            let next = expression.next(last, last, &zone).unwrap();
            prop_assert!(next > last);
            let civil: DateTime = zone.to_datetime(next);
            let found = (civil.minute() as u8, civil.hour() as u8, civil.day() as u8);
            prop_assert_eq!(found, (minute, hour, day));
            prop_assert_eq!(civil.second(), 0);
            last = next;
        }
    }
}
