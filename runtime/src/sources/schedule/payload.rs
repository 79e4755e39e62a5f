//! The event that each service sends when a schedule fires.

use bytes::Bytes;
use jiff::{Timestamp, Unit};
use serde_json::json;

use sam_template::model::{Schedule, ScheduleKind};

/// One attempt of a firing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    /// When the schedule was due.
    pub(super) scheduled: Timestamp,
    /// Number of the attempt, from 1.
    pub(super) number: u32,
    /// Identifies this attempt.
    pub(super) execution: u64,
    /// `id` of the service's own event.
    pub(super) event: u128,
}

/// The event of a firing. An Input is sent unchanged, except that `EventBridge` Scheduler replaces
/// its context attributes.
pub(super) fn event(schedule: &Schedule, attempt: &Attempt) -> Bytes {
    let time = attempt
        .scheduled
        .round(Unit::Second)
        .unwrap_or(attempt.scheduled)
        .to_string();
    if let Some(input) = &schedule.input {
        return Bytes::from(match schedule.kind {
            ScheduleKind::Rule => as_json(input),
            ScheduleKind::Scheduler => as_json(&with_attributes(input, schedule, &time, attempt)),
        });
    }
    let (source, detail) = match schedule.kind {
        ScheduleKind::Rule => ("aws.events", json!({})),
        // Scheduler sends a string, not an object
        ScheduleKind::Scheduler => ("aws.scheduler", json!("{}")),
    };
    let id = attempt.event;
    // arn:partition:service:region:account:resource
    let mut arn = schedule.arn.split(':').skip(3);
    let region = arn.next().unwrap_or_default();
    let account = arn.next().unwrap_or_default();
    let event = json!({
        "version": "0",
        "id": format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            id >> 96,
            id >> 80 & 0xffff,
            id >> 64 & 0xffff,
            id >> 48 & 0xffff,
            id & 0xffff_ffff_ffff
        ),
        "detail-type": "Scheduled Event",
        "source": source,
        "account": account,
        "time": time,
        "region": region,
        "resources": [schedule.arn],
        "detail": detail,
    });
    Bytes::from(event.to_string())
}

/// The four keywords of "Adding context attributes in `EventBridge` Scheduler", replaced wherever
/// they stand in the text.
fn with_attributes(input: &str, schedule: &Schedule, time: &str, attempt: &Attempt) -> String {
    let mut out = String::new();
    let mut rest = input;
    while let Some((before, after)) = rest.split_once("<aws.scheduler.") {
        out.push_str(before);
        let value = after.split_once('>').and_then(|(name, after)| {
            let value = match name {
                "schedule-arn" => schedule.arn.clone(),
                "scheduled-time" => time.to_owned(),
                "execution-id" => format!("{:016x}", attempt.execution),
                "attempt-number" => attempt.number.to_string(),
                _ => return None,
            };
            Some((value, after))
        });
        // other text stays unchanged
        let (text, left) = value.unwrap_or_else(|| ("<aws.scheduler.".to_owned(), after));
        out.push_str(&text);
        rest = left;
    }
    out + rest
}

/// Scheduler accepts plain text as Input and sends it as a JSON string.
fn as_json(input: &str) -> String {
    match strict_json::from_str::<&serde_json::value::RawValue>(input) {
        Ok(_) => input.to_owned(),
        Err(_) => json!(input).to_string(),
    }
}
