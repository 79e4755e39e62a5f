//! The outcome of one record.

use std::fmt;

/// Why a record was not simply done: one line for people, fit for a log and for Postgres (no NUL, at most [`Reason::MAX_LEN`] bytes).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reason(String);

impl Reason {
    /// Longest reason, in bytes.
    pub const MAX_LEN: usize = 500;

    /// Makes a text fit: control characters become spaces, what is too long is cut.
    pub fn new(text: impl fmt::Display) -> Self {
        let mut line: String = text
            .to_string()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        if line.len() > Self::MAX_LEN {
            line.truncate(line.floor_char_boundary(Self::MAX_LEN - '…'.len_utf8()));
            line.push('…');
        }
        Self(line)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a handler decided on one record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Its effects are durable. It may be acknowledged.
    Done,
    /// Not now: deliver it again, and everything behind it in its partition.
    Retry(Reason),
    /// Never: keep it aside where people can look at it. May be acknowledged once it is durably parked, not before.
    Park(Reason),
}
