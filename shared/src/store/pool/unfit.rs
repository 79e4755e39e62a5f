//! Which errors mean that a connection is of no use.

use std::io;
use std::time::Duration;

use sqlx::Error;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// The error for a server that was silent for so long.
pub(super) fn silent(limit: Duration) -> Error {
    let text = format!(
        "no answer within {} ms: the connection is closed, and what it was doing may have been done",
        limit.as_millis()
    );
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, text))
}

/// The error for a statement on a connection that an earlier one has closed.
pub(super) fn closed() -> Error {
    Error::Io(io::Error::new(
        io::ErrorKind::NotConnected,
        "the connection was closed after an earlier statement",
    ))
}

/// Whether a connection is to be closed after this error: it is dead, its session has ended, or it leads to a server that takes no writes.
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

/// Read-only transaction: the address leads to a standby, or to a server that is being moved. Shutting down, crashed, starting; its
/// session ended by a timeout. Class 08: connection exceptions, which a pooler between here and Postgres answers with.
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
    fn states_of_a_server_of_no_use_are_told_from_those_of_a_statement() {
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
