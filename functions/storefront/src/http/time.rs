//! Times in requests and answers (RFC 3339).

use super::{Call, Problem};

/// Milliseconds since 1970 as RFC 3339, UTC.
pub(crate) fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| time.to_string())
}

impl Call {
    /// A query parameter as a time, milliseconds since 1970.
    pub fn time(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.parameter(name)? else {
            return Ok(None);
        };
        let time: jiff::Timestamp = text.parse().map_err(|_| {
            Problem::malformed(format_args!(
                "{name} must be a time such as 2026-11-24T18:00:00Z (a + is written %2B)"
            ))
        })?;
        Ok(Some(time.as_millisecond()))
    }
}
