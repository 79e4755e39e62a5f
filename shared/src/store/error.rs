//! What can go wrong in Postgres, as far as it decides what to do next.

/// What to do about an error. From SQLSTATE, never from the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The data can never be stored (classes 22, 23): find the record and park it.
    Data,
    /// Another transaction was in the way (40001, 40P01): repeat at once.
    Conflict,
    /// The statement took too long (57014): try less of it.
    Cancelled,
    /// Postgres is away or busy (08, 53, 57, 55P03, no connection): repeat later.
    Unavailable,
    /// Anything else: repeat later and raise an alarm.
    Unknown,
}

/// An error of Postgres, or of the way to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("postgres: {message}{}{hint}", sqlstate.as_ref().map(|s| format!(" (SQLSTATE {s})")).unwrap_or_default())]
pub struct StoreError {
    /// What to do about it.
    pub class: ErrorClass,
    /// Postgres' own code, if it was Postgres that answered.
    pub sqlstate: Option<String>,
    /// What it said.
    pub message: String,
    /// What to do next, where it is known. Empty, or begins with `; `.
    pub hint: &'static str,
}

impl StoreError {
    /// A row that breaks an invariant of this schema.
    pub(super) fn corrupt(message: impl Into<String>) -> Self {
        Self { class: ErrorClass::Unknown, sqlstate: None, message: message.into(), hint: "" }
    }
}

impl ErrorClass {
    /// The class of a SQLSTATE.
    pub fn of_sqlstate(code: &str) -> Self {
        match code {
            "40001" | "40P01" => Self::Conflict,
            "57014" => Self::Cancelled,
            "55P03" => Self::Unavailable,
            _ => match code.get(..2) {
                Some("22" | "23") => Self::Data,
                Some("08" | "53" | "57") => Self::Unavailable,
                _ => Self::Unknown,
            },
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(e: sqlx::Error) -> Self {
        let (class, sqlstate) = match &e {
            sqlx::Error::Database(db) => {
                let code = db.code().map(std::borrow::Cow::into_owned);
                (code.as_deref().map_or(ErrorClass::Unknown, ErrorClass::of_sqlstate), code)
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => (ErrorClass::Unavailable, None),
            _ => (ErrorClass::Unknown, None),
        };
        let hint = match (class, sqlstate.as_deref()) {
            (_, Some("42P01" | "42703" | "42883" | "3F000")) => "; run the Migrate function against this environment",
            (_, Some("28P01" | "28000" | "3D000")) => "; check user, password and database in DATABASE_URL",
            (ErrorClass::Unavailable, None) => "; is Postgres running at the address in DATABASE_URL?",
            _ => "",
        };
        let message = match &e {
            sqlx::Error::Database(db) => db.message().to_owned(),
            sqlx::Error::PoolTimedOut => "no connection in time".to_owned(),
            other => other.to_string(),
        };
        Self { class, sqlstate, message, hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_decides_by_sqlstate_and_an_unknown_one_is_never_taken_for_data() {
        for (code, class) in [
            ("22021", ErrorClass::Data),
            ("23505", ErrorClass::Data),
            ("40001", ErrorClass::Conflict),
            ("40P01", ErrorClass::Conflict),
            ("40002", ErrorClass::Unknown),
            ("57014", ErrorClass::Cancelled),
            ("57P01", ErrorClass::Unavailable),
            ("08006", ErrorClass::Unavailable),
            ("53300", ErrorClass::Unavailable),
            ("55P03", ErrorClass::Unavailable),
            ("42P01", ErrorClass::Unknown),
            ("XX000", ErrorClass::Unknown),
            ("", ErrorClass::Unknown),
        ] {
            assert_eq!(ErrorClass::of_sqlstate(code), class, "{code}");
        }
    }
}
