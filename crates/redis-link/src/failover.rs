//! Classifies error replies: which of them require a new connection.

use redis::{RedisError, ServerError, Value};

/// Error codes of a server that is no primary, is not ready, has changed its role, or demands a
/// login. A new connection may do better; this one never will.
const CODES: [&str; 7] = [
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "UNBLOCKED",
    "CLUSTERDOWN",
    "NOREPLICAS",
    NO_LOGIN,
];
/// The code of a server that demands a login: the connection has none, or has lost it.
const NO_LOGIN: &str = "NOAUTH";

/// Detail of the `UNBLOCKED` reply that Redis 7.0 sends to a blocked reader when its stream is
/// deleted. The server is healthy.
const STREAM_DELETED: &str = "no longer exists";

/// Whether a blocked read ended because its stream was deleted. Redis sends the same code when the
/// server becomes a replica.
pub fn is_stream_deleted(error: &ServerError) -> bool {
    error.code() == "UNBLOCKED"
        && error
            .details()
            .is_some_and(|detail| detail.contains(STREAM_DELETED))
}

/// Whether an error reply requires another connection.
fn needs_reconnect(code: &str, detail: Option<&str>) -> bool {
    let detail = detail.unwrap_or_default();
    if CODES.contains(&code) {
        return !detail.contains(STREAM_DELETED);
    }
    // Redis before 7.0 wraps the reply of a command inside a script:
    // `ERR Error running script ...: -READONLY You can't ...`.
    let mut inner = detail
        .split_ascii_whitespace()
        .filter_map(|word| word.strip_prefix('-'));
    code == "ERR" && inner.any(|word| CODES.contains(&word))
}

/// The first reply of a round trip that requires another connection.
pub(super) fn refusal(values: &[Value]) -> Option<&ServerError> {
    values.iter().find_map(refused)
}

/// Whether the server demands a login.
pub(super) fn needs_login(values: &[Value]) -> bool {
    refusal(values).is_some_and(|error| error.code() == NO_LOGIN)
}

/// The error, if this reply of a round trip requires another connection.
pub(super) fn refused(value: &Value) -> Option<&ServerError> {
    match value {
        Value::ServerError(error) if needs_reconnect(error.code(), error.details()) => Some(error),
        _ => None,
    }
}

/// Whether an error of the client library requires another connection.
pub(super) fn error_needs_reconnect(error: &RedisError) -> bool {
    error
        .code()
        .is_some_and(|code| needs_reconnect(code, error.detail()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_a_replaced_server_are_recognised() {
        for (code, detail) in [
            ("READONLY", "You can't write against a read only replica."),
            ("LOADING", "Redis is loading the dataset in memory"),
            (
                "MASTERDOWN",
                "Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            ),
            (
                "UNBLOCKED",
                "force unblock from blocking operation, instance state changed (master -> \
                 replica?)",
            ),
            ("NOREPLICAS", "Not enough good replicas to write."),
            ("NOAUTH", "Authentication required."),
            (
                "ERR",
                "Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY \
                 You can't write",
            ),
        ] {
            assert!(needs_reconnect(code, Some(detail)), "{code} {detail}");
        }
        for (code, detail) in [
            ("UNBLOCKED", "the stream key no longer exists"),
            ("ERR", "wrong number of arguments"),
            ("ERR", "the word READONLY in an argument"),
            ("OOM", "command not allowed when used memory > 'maxmemory'."),
            ("NOSCRIPT", "No matching script."),
            ("WRONGTYPE", ""),
        ] {
            assert!(!needs_reconnect(code, Some(detail)), "{code} {detail}");
        }
    }
}
