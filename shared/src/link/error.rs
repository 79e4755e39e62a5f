//! What can go wrong between a verb and Redis.

use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::unfit::is_unfit;

/// Why Redis did not carry out a verb. A verb that changes something may nevertheless have been carried out when the answer was
/// lost ([`LinkError::Unavailable`]); repeating it is safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Redis did not answer in time, or refuses for now (loading, failing over, no replica, disk full). Try again later.
    #[error("Redis is unavailable: {0}")]
    Unavailable(String),
    /// Redis has reached `maxmemory` and the verb adds data. Nothing was changed. Free memory, or raise the limit.
    #[error("Redis is out of memory (maxmemory): nothing was changed")]
    OutOfMemory,
    /// A bug, a wrong address, missing permission, or keys that something else wrote. Repeating does not help.
    #[error("Redis and this program do not agree: {0}")]
    Protocol(String),
}

impl LinkError {
    /// Nothing was answered in time.
    pub(super) fn silent(waited: Duration) -> Self {
        Self::Unavailable(format!("no answer within {} ms", waited.as_millis()))
    }
}

impl From<RedisError> for LinkError {
    fn from(error: RedisError) -> Self {
        let text = error.to_string();
        let passing = matches!(
            error.kind(),
            ErrorKind::Io
                | ErrorKind::Server(
                    ServerErrorKind::TryAgain
                        | ServerErrorKind::NoScript
                        | ServerErrorKind::Moved
                        | ServerErrorKind::Ask,
                )
        );
        match error.code() {
            Some("OOM") => Self::OutOfMemory,
            Some("BUSY" | "MISCONF" | "UNBLOCKED") => Self::Unavailable(text),
            Some(code) if passing || is_unfit(code, error.detail()) => Self::Unavailable(text),
            None if passing => Self::Unavailable(text),
            _ => Self::Protocol(text),
        }
    }
}
