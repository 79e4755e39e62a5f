//! Errors of Postgres, and of the object store for files, classified by what to do next.

use lambda_batch::{ErrorClass, TransactionError};

use super::ConnectError;
use crate::message::BadValue;

const POSTGRES: &str = "postgres";

/// An error of Postgres, of the connection to it, or of what one of its transactions waits for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{system}: {message}{}{hint}", in_brackets(sqlstate.as_deref()))]
pub struct StoreError {
    /// Where it comes from: `postgres`, or `object store`.
    pub system: &'static str,
    /// Decides the next step.
    pub class: ErrorClass,
    /// SQLSTATE, if Postgres itself returned the error.
    pub sqlstate: Option<String>,
    /// The message of Postgres or of the driver.
    pub message: String,
    /// A remedy, if one is known. Empty, or begins with `; `.
    pub hint: &'static str,
    /// Set if no connection can be opened with this configuration.
    pub connect: Option<Box<ConnectError>>,
}

fn in_brackets(sqlstate: Option<&str>) -> String {
    sqlstate.map_or_else(String::new, |code| format!(" (SQLSTATE {code})"))
}

impl StoreError {
    /// Of the class unknown and without a hint, e.g. a row that breaks an invariant of this schema.
    pub(crate) fn unknown(message: impl Into<String>) -> Self {
        Self {
            system: POSTGRES,
            class: ErrorClass::Unknown,
            sqlstate: None,
            message: message.into(),
            hint: "",
            connect: None,
        }
    }

    /// Of the object store for files.
    pub fn of_files(class: ErrorClass, message: impl Into<String>, hint: &'static str) -> Self {
        Self {
            system: "object store",
            class,
            hint,
            ..Self::unknown(message)
        }
    }
}

impl TransactionError for StoreError {
    fn class(&self) -> ErrorClass {
        self.class
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(e: sqlx::Error) -> Self {
        if let Some(error) = ConnectError::of_driver(&e) {
            return error.clone().into();
        }
        let (class, sqlstate) = match &e {
            sqlx::Error::Database(db) => {
                let code = db.code().map(std::borrow::Cow::into_owned);
                (
                    code.as_deref().map_or(ErrorClass::Unknown, |code| {
                        ErrorClass::of_sqlstate(Some(code))
                    }),
                    code,
                )
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => (ErrorClass::Unavailable, None),
            _ => (ErrorClass::Unknown, None),
        };
        let hint = match (class, sqlstate.as_deref()) {
            (_, Some("42P01" | "42703" | "42883" | "3F000")) => {
                "; run the Migrate function against this environment, and let this role use its schema"
            }
            (_, Some("28000")) if e.to_string().contains("no encryption") => {
                "; the server requires TLS: set sslmode=verify-full in DATABASE_URL"
            }
            (_, Some("28000")) if e.to_string().contains("client certificate") => {
                "; give one in TLS_CERTIFICATE_FILE and TLS_KEY_FILE"
            }
            (_, Some("28P01" | "28000" | "3D000")) => {
                "; check DATABASE_USER, DATABASE_PASSWORD or DATABASE_SECRET_ARN, and DATABASE_URL"
            }
            (ErrorClass::Unavailable, None) => {
                "; is Postgres running at the address in DATABASE_URL?"
            }
            _ => "",
        };
        let message = match &e {
            sqlx::Error::Database(db) => db.message().to_owned(),
            sqlx::Error::PoolTimedOut => "no connection in time".to_owned(),
            sqlx::Error::ColumnDecode { source, .. } | sqlx::Error::Decode(source)
                if source.is::<BadValue>() =>
            {
                format!("a stored value is out of bounds: {source}")
            }
            other => other.to_string(),
        };
        Self {
            system: POSTGRES,
            class,
            sqlstate,
            message,
            hint,
            connect: None,
        }
    }
}

impl From<ConnectError> for StoreError {
    fn from(error: ConnectError) -> Self {
        Self {
            system: POSTGRES,
            class: error.class(),
            sqlstate: None,
            message: error.to_string(),
            hint: error.hint(),
            connect: Some(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Cents;

    fn undecodable(source: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
        let index = "\"amount_cents\"".to_owned();
        sqlx::Error::ColumnDecode { index, source }.into()
    }

    #[test]
    fn a_stored_value_out_of_bounds_is_named() {
        let error = undecodable(Box::new(Cents::new(-1).expect_err("out of bounds")));
        assert_eq!(
            error.to_string(),
            "postgres: a stored value is out of bounds: amount must be 0 to 1000000000000 cents"
        );
    }

    #[test]
    fn another_decoding_error_names_its_column() {
        let error = undecodable(Box::new(sqlx::error::UnexpectedNullError));
        assert!(error.message.contains("amount_cents"), "{error}");
        assert!(error.message.contains("null"), "{error}");
    }
}
