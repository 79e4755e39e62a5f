//! Which answers mean that a connection leads to the wrong server, or to one that cannot serve now.

use redis::{RedisError, ServerError, Value};

/// Codes of a server that is no primary, is not ready, or has changed its role. The address may lead to another server by now; the
/// connection never will.
const CODES: [&str; 6] = [
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "UNBLOCKED",
    "CLUSTERDOWN",
    "NOREPLICAS",
];

/// What Redis 7.0 answers a blocked reader with `UNBLOCKED` when its stream is deleted. The server is well.
const STREAM_GONE: &str = "no longer exists";

/// Whether a blocked read ended because its stream was deleted; with the same code Redis ends it when the server becomes a replica.
pub(crate) fn stream_is_gone(error: &ServerError) -> bool {
    error.code() == "UNBLOCKED"
        && error
            .details()
            .is_some_and(|detail| detail.contains(STREAM_GONE))
}

/// Whether an error of the server asks for another connection.
pub(super) fn is_unfit(code: &str, detail: Option<&str>) -> bool {
    let detail = detail.unwrap_or_default();
    if CODES.contains(&code) {
        return !detail.contains(STREAM_GONE);
    }
    // Redis before 7.0 wraps what a command within a script answered: `ERR Error running script ...: -READONLY You can't ...`.
    let inner = detail
        .split_ascii_whitespace()
        .filter_map(|word| word.strip_prefix('-'));
    code == "ERR" && inner.into_iter().any(|word| CODES.contains(&word))
}

/// Whether one answer of a round trip asks for another connection.
pub(super) fn is_unfit_value(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if is_unfit(error.code(), error.details()))
}

/// The first answer of a round trip that asks for another connection.
pub(super) fn refusal(values: &[Value]) -> Option<&ServerError> {
    values.iter().find_map(|value| match value {
        Value::ServerError(error) if is_unfit(error.code(), error.details()) => Some(error),
        _ => None,
    })
}

/// Whether the server's error, as the library reports it, asks for another connection.
pub(super) fn is_unfit_error(error: &RedisError) -> bool {
    error
        .code()
        .is_some_and(|code| is_unfit(code, error.detail()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_a_replaced_server_are_recognised() {
        for (code, detail) in [
            ("READONLY", "You can't write against a read only replica."),
            ("LOADING", "Redis is loading the dataset in memory"),
            (
                "MASTERDOWN",
                "Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            ),
            (
                "UNBLOCKED",
                "force unblock from blocking operation, instance state changed (master -> replica?)",
            ),
            ("NOREPLICAS", "Not enough good replicas to write."),
            (
                "ERR",
                "Error running script (call to f_1): @user_script:1: @user_script: 1: -READONLY You can't write",
            ),
        ] {
            assert!(is_unfit(code, Some(detail)), "{code} {detail}");
        }
        for (code, detail) in [
            ("UNBLOCKED", "the stream key no longer exists"),
            ("ERR", "wrong number of arguments"),
            ("ERR", "the word READONLY in an argument"),
            ("OOM", "command not allowed when used memory > 'maxmemory'."),
            ("NOSCRIPT", "No matching script."),
            ("WRONGTYPE", ""),
        ] {
            assert!(!is_unfit(code, Some(detail)), "{code} {detail}");
        }
    }
}
