//! Times in requests and answers (RFC 3339).

use std::time::{SystemTime, UNIX_EPOCH};

use super::{Call, Problem};

/// Milliseconds since 1970 by the machine's clock.
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

/// Milliseconds since 1970 as RFC 3339, UTC.
pub(crate) fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| time.to_string())
}

impl Call {
    /// A query parameter as a time, milliseconds since 1970.
    pub fn time(&self, name: &str) -> Result<Option<i64>, Problem> {
        let rule =
            format!("{name} must be a time such as 2026-11-24T18:00:00Z (a + is written %2B)");
        self.checked(name, rule, |text| {
            let time: jiff::Timestamp = text.parse().ok()?;
            Some(time.as_millisecond())
        })
    }
}
