//! Errors of a database sorted by what to do next.

/// What kind of error a statement met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The data itself: it will fail again however often it is tried.
    Data,
    /// Two transactions in each other's way; one gave up.
    Conflict,
    /// It waited for a lock for longer than it may (55P03), or its own transaction stood still for too long (25P03, 25P04): many
    /// transactions at once, and nothing wrong with any of them. Waiting took seconds, so the next attempt comes later.
    Busy,
    /// It took too long and was cancelled.
    Cancelled,
    /// The server is away, closing, full, out of a resource, or takes no writes.
    Unavailable,
    /// Anything else. Treated like [`Self::Unavailable`], but somebody should look.
    Unknown,
}

/// What to do about a failed batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NextStep {
    /// Cut the batch in two, left first, down to the one record that fails; park that one.
    Bisect,
    /// Try the same again at once, a few times.
    RetryNow,
    /// Try halves; a single record that still takes too long is retried later.
    Halve,
    /// Give it back: outcome Retry for every record not yet done.
    RetryLater {
        /// Nobody foresaw this error: raise an alarm.
        alarm: bool,
    },
}

impl ErrorClass {
    /// By SQLSTATE; an error of the connection itself has none.
    pub fn of_sqlstate(state: Option<&str>) -> Self {
        let Some(state) = state else {
            return Self::Unavailable;
        };
        match (state, state.get(..2)) {
            ("40001" | "40P01", _) => Self::Conflict,
            ("55P03" | "25P03" | "25P04", _) => Self::Busy,
            ("57014", _) => Self::Cancelled,
            (_, Some("22" | "23")) => Self::Data,
            // 25006, a read-only transaction: the connection leads to a standby. The next one may not.
            ("25006", _) | (_, Some("08" | "53" | "57")) => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// Whether other transactions were in the way: it passes by itself, however often it is counted.
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
