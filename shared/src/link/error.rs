//! What can go wrong between a verb and Redis.

use redis::{ErrorKind, RedisError, ServerErrorKind};

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

impl From<RedisError> for LinkError {
    fn from(error: RedisError) -> Self {
        let text = error.to_string();
        let passing = matches!(
            error.kind(),
            ErrorKind::Io
                | ErrorKind::Server(
                    ServerErrorKind::BusyLoading
                        | ServerErrorKind::TryAgain
                        | ServerErrorKind::ClusterDown
                        | ServerErrorKind::MasterDown
                        | ServerErrorKind::ReadOnly
                        | ServerErrorKind::NoScript
                        | ServerErrorKind::Moved
                        | ServerErrorKind::Ask,
                )
        );
        match error.code() {
            Some("OOM") => Self::OutOfMemory,
            code if passing || matches!(code, Some("BUSY" | "MISCONF" | "NOREPLICAS" | "UNBLOCKED")) => Self::Unavailable(text),
            _ => Self::Protocol(text),
        }
    }
}
