//! The outcome of one record.

use std::fmt;

use crate::BadContent;

/// Why a record is not done: one line without control characters, at most [`Reason::MAX_LEN`]
/// bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reason(String);

impl Reason {
    /// Longest reason, in bytes.
    pub const MAX_LEN: usize = 500;

    /// Replaces control characters by spaces and cuts what is too long.
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

/// What a handler decided about one record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Its effects are durable. It may be acknowledged.
    Done,
    /// Deliver it again, and everything behind it in its partition or message group.
    Retry(Reason),
    /// It can never be handled: set it aside with its reason. It may be acknowledged once it is
    /// durably parked, not before.
    Park(Reason),
}

impl Outcome {
    /// [`Outcome::Retry`] with a reason.
    pub fn retry(reason: impl fmt::Display) -> Self {
        Self::Retry(Reason::new(reason))
    }

    /// [`Outcome::Park`] with a reason.
    pub fn park(reason: impl fmt::Display) -> Self {
        Self::Park(Reason::new(reason))
    }
}

/// Why a handler did not finish a record: an [`Outcome`] that is not `Done`, for `?`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandlerError {
    /// See [`Outcome::Retry`].
    #[error("{0}")]
    Retry(Reason),
    /// See [`Outcome::Park`].
    #[error("{0}")]
    Park(Reason),
}

impl HandlerError {
    /// For `map_err`: the record is delivered again.
    pub fn retry(error: impl fmt::Display) -> Self {
        Self::Retry(Reason::new(error))
    }

    /// For `map_err`: the record is parked.
    pub fn park(error: impl fmt::Display) -> Self {
        Self::Park(Reason::new(error))
    }
}

/// Content that cannot be read will not be readable next time.
impl From<BadContent> for HandlerError {
    fn from(error: BadContent) -> Self {
        Self::park(error)
    }
}

impl From<Result<(), HandlerError>> for Outcome {
    fn from(result: Result<(), HandlerError>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(HandlerError::Retry(reason)) => Self::Retry(reason),
            Err(HandlerError::Park(reason)) => Self::Park(reason),
        }
    }
}
