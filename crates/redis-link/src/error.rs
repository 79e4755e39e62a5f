//! Errors of a call.

use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::access::ConnectError;
use super::cluster::is_moving;
use super::failover::error_needs_reconnect;
use super::refusal::Refusal;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Redis did not answer in time, or refuses for now (loading, failing over, no replica, disk
    /// full). The call may have been applied; repeating it later is safe.
    #[error("Redis is unavailable: {0}")]
    Unavailable(String),
    /// Redis has reached `maxmemory` and the script adds data. Nothing was changed. Free memory, or
    /// raise the limit.
    #[error("Redis is out of memory (maxmemory): nothing was changed")]
    OutOfMemory,
    /// The server answers, but is not used: TLS or login do not fit. Nothing was applied, and
    /// repeating the call helps only after a setting has been corrected.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A bug, a wrong address, missing permission, or keys of another format. Repeating the call
    /// does not help.
    #[error("Redis and this program do not agree: {0}")]
    Protocol(String),
}

impl LinkError {
    pub(super) fn timed_out(after: Duration) -> Self {
        Self::Unavailable(format!("no answer within {} ms", after.as_millis()))
    }

    /// The server's reply lacks an answer.
    pub fn no_answer(to: &str) -> Self {
        Self::Protocol(format!("no answer to {to}"))
    }
}

impl From<RedisError> for LinkError {
    fn from(error: RedisError) -> Self {
        let text = error.to_string();
        let transient = matches!(
            error.kind(),
            ErrorKind::Io
                | ErrorKind::Server(
                    ServerErrorKind::TryAgain
                        | ServerErrorKind::NoScript
                        | ServerErrorKind::Moved
                        | ServerErrorKind::Ask,
                )
                | ErrorKind::MasterNameNotFoundBySentinel
        );
        match error.code() {
            Some("OOM") => Self::OutOfMemory,
            Some("BUSY" | "MISCONF" | "UNBLOCKED") => Self::Unavailable(text),
            // A link to a cluster follows it.
            Some("MOVED") => Self::Unavailable(format!(
                "{text}; the address of a cluster needs ?cluster=true"
            )),
            _ if transient || is_moving(&error) || error_needs_reconnect(&error) => {
                Self::Unavailable(text)
            }
            _ => Self::Protocol(text),
        }
    }
}

impl From<ConnectError> for LinkError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Redis(error) => error.into(),
            ConnectError::Refused(refusal) => Self::Refused(refusal),
            ConnectError::Login(error) => Self::Unavailable(error.to_string()),
        }
    }
}

/// An argument out of its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}")]
pub struct InvalidArgument {
    /// What was refused, e.g. `queue name`.
    pub what: &'static str,
    /// What is allowed.
    pub rule: &'static str,
}

impl InvalidArgument {
    /// An error unless the rule holds.
    pub fn unless(holds: bool, what: &'static str, rule: &'static str) -> Result<(), Self> {
        if holds {
            Ok(())
        } else {
            Err(Self { what, rule })
        }
    }
}
