//! Which errors make a connection unusable.

use std::io;
use std::time::Duration;

use sqlx::Error;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// The error for a server that was silent for `limit`.
pub(super) fn silent(limit: Duration) -> Error {
    let text = format!(
        "no answer within {} ms: the connection is closed; its statement may have been executed",
        limit.as_millis()
    );
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, text))
}

/// The error for a statement whose session has ended it, or is gone.
pub(super) fn lost() -> Error {
    Error::Io(io::Error::new(
        io::ErrorKind::TimedOut,
        "the answer was lost: the connection is closed; its statement may have been executed",
    ))
}

/// The error for a statement on a connection that an earlier one has closed.
pub(super) fn closed() -> Error {
    Error::Io(io::Error::new(
        io::ErrorKind::NotConnected,
        "the connection was closed after an earlier statement",
    ))
}

/// Whether to close the connection after this error: it is dead, its session has ended, or its
/// server takes no writes.
pub(super) fn is_unfit(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed => true,
        Error::Database(error) => {
            error
                .try_downcast_ref::<PgDatabaseError>()
                .is_some_and(|error| {
                    matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic)
                        || is_unfit_state(error.code())
                })
        }
        _ => false,
    }
}

/// 25006: the server is a standby or is being moved. 57P0x: it is shutting down, has crashed, or is
/// starting. 25P0x: a timeout ended the session. Class 08: a pooler between here and Postgres lost
/// its server.
fn is_unfit_state(code: &str) -> bool {
    matches!(
        code,
        "25006" | "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04"
    ) || code.starts_with("08")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_of_the_server_make_a_connection_unfit() {
        for state in ["25006", "57P01", "57P03", "08006", "08P01"] {
            assert!(is_unfit_state(state), "{state}");
        }
        for state in [
            "40001", "40P01", "57014", "23505", "55P03", "42P01", "53300",
        ] {
            assert!(!is_unfit_state(state), "{state}");
        }
    }
}
