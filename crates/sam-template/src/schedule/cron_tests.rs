//! `cron(..)` expressions: when they fire, and which ones are refused.

use super::expression_tests::firings;
use super::{Expression, ScheduleError};

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
        // The weekday nearest the 3rd: a Saturday in January 2026, so the 2nd; a Tuesday in
        // February.
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
