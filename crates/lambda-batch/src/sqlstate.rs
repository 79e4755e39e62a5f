//! Classes of database errors, by what to do next.

/// The class of an error of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The data is refused: every further attempt fails as well.
    Data,
    /// A deadlock or serialization failure: another transaction was in the way.
    Conflict,
    /// A lock timeout (55P03) or a transaction timeout (25P03, 25P04): too many concurrent
    /// transactions. The wait took seconds, so the next attempt comes later.
    Busy,
    /// The statement took too long and was cancelled.
    Cancelled,
    /// The server is unreachable, shutting down, out of a resource, or read-only.
    Unavailable,
    /// Any other error. Treated like [`Self::Unavailable`], with an alarm.
    Unknown,
}

/// What to do about a failed batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NextStep {
    /// Bisect the batch down to the one record that fails, and park that record.
    Bisect,
    /// Repeat immediately, a few times.
    RetryNow,
    /// Try halves; a single record that still takes too long is retried later.
    Halve,
    /// Outcome `Retry` for every record that is not done.
    RetryLater {
        /// The error is unexpected: raise an alarm.
        alarm: bool,
    },
}

impl ErrorClass {
    /// The class of an SQLSTATE; an error of the connection has none.
    pub fn of_sqlstate(state: Option<&str>) -> Self {
        let Some(state) = state else {
            return Self::Unavailable;
        };
        match (state, state.get(..2)) {
            ("40001" | "40P01", _) => Self::Conflict,
            ("55P03" | "25P03" | "25P04", _) => Self::Busy,
            ("57014", _) => Self::Cancelled,
            (_, Some("22" | "23")) => Self::Data,
            // 25006, a read-only transaction: the server is a standby. Another connection may reach
            // the primary.
            ("25006", _) | (_, Some("08" | "53" | "57")) => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// Whether other transactions were in the way: the error is transient.
    pub const fn is_contention(self) -> bool {
        matches!(self, Self::Conflict | Self::Busy)
    }

    /// What to do next.
    pub const fn next_step(self) -> NextStep {
        match self {
            Self::Data => NextStep::Bisect,
            Self::Conflict => NextStep::RetryNow,
            Self::Cancelled => NextStep::Halve,
            Self::Busy | Self::Unavailable => NextStep::RetryLater { alarm: false },
            Self::Unknown => NextStep::RetryLater { alarm: true },
        }
    }
}
