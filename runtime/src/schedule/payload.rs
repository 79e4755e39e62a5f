//! What each service sends when a schedule fires.

use bytes::Bytes;
use jiff::{Timestamp, Unit};
use serde_json::json;

use crate::model::{Schedule, ScheduleKind};
use crate::template::{ACCOUNT, REGION};

/// The event for a firing at this time. An Input goes as it is: the services send it bare.
pub(super) fn event(schedule: &Schedule, fired: Timestamp) -> Bytes {
    if let Some(input) = &schedule.input {
        return Bytes::from(as_json(input));
    }
    let time = fired.round(Unit::Second).unwrap_or(fired);
    let (source, detail) = match schedule.kind {
        ScheduleKind::Rule => ("aws.events", json!({})),
        // Scheduler sends the text, not the object.
        ScheduleKind::Scheduler => ("aws.scheduler", json!("{}")),
    };
    let id = rand::random::<u128>();
    let event = json!({
        "version": "0",
        "id": format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", id >> 96, id >> 80 & 0xffff, id >> 64 & 0xffff, id >> 48 & 0xffff, id & 0xffff_ffff_ffff),
        "detail-type": "Scheduled Event",
        "source": source,
        "account": ACCOUNT,
        "time": time.to_string(),
        "region": REGION,
        "resources": [schedule.arn],
        "detail": detail,
    });
    Bytes::from(event.to_string())
}

/// Scheduler takes plain text as Input and hands it on as a JSON text.
fn as_json(input: &str) -> String {
    match strict_json::from_str::<&serde_json::value::RawValue>(input) {
        Ok(_) => input.to_owned(),
        Err(_) => json!(input).to_string(),
    }
}
