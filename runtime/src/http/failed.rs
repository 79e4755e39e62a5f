//! The line of the log that a failed call leaves: function, route, status, duration, type and message of the error, and the
//! request id that the function's own lines carry.
//!
//! Failed is a call that the service answered in the function's place because the function, or the host, could not, and one
//! that the function answered with a status from 500 on. A refusal of the authorizer is a line at debug. What a client did wrong (no
//! such route, a body that is too large) is no line. A failure that repeats is logged at growing intervals with its count.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use http::StatusCode;

use crate::invocation::Rejected;
use crate::model::Route;
use crate::observation::{MAX_INTERVAL, Repeats, shape, shortened};

/// Longest message in a line, bytes.
const LONGEST_MESSAGE: usize = 1_000;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason {
    /// The function's `errorType`, or a name for what happened before or after it ran.
    error_type: String,
    message: String,
}

impl Reason {
    pub(super) fn new(error_type: &str, message: &str) -> Self {
        Self {
            error_type: shortened(error_type, 200),
            message: shortened(message, LONGEST_MESSAGE),
        }
    }

    /// The invocation did not reach the function.
    pub(super) fn rejected(rejected: &Rejected) -> Self {
        let error_type = match rejected {
            Rejected::NotFound(_) => "NotFound",
            Rejected::Throttled(_) => "Throttled",
            Rejected::NoCapacity { .. } => "NoCapacity",
            Rejected::TooLarge(_) => "TooLarge",
            Rejected::ShuttingDown => "ShuttingDown",
        };
        Self::new(error_type, &rejected.to_string())
    }

    /// The function itself answered with an error status.
    pub(super) fn answered() -> Self {
        Self::new("none", "the function answered with this status")
    }
}

/// Failures that were logged, by function and route.
#[derive(Debug, Default)]
pub(super) struct FailedCalls(Mutex<Repeats<(String, String)>>);

impl FailedCalls {
    /// Logs a failed call, or counts it.
    pub(super) fn log(
        &self,
        began: Instant,
        route: &Route,
        status: StatusCode,
        request_id: &str,
        reason: &Reason,
    ) {
        let now = Instant::now();
        let function = &route.function;
        let path = format!("{} {}", route.method, route.path);
        if let Some(times) = self.due(now, (function.clone(), path.clone()), status, reason) {
            tracing::warn!(
                function,
                route = path,
                status = status.as_u16(),
                duration_ms = now.duration_since(began).as_millis() as u64,
                error_type = reason.error_type,
                request_id,
                times,
                "a call failed: {}",
                reason.message
            );
        }
    }

    /// `Some`: a line is due, with how often this has happened so far.
    fn due(
        &self,
        now: Instant,
        key: (String, String),
        status: StatusCode,
        reason: &Reason,
    ) -> Option<u64> {
        let mut repeats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        repeats.expire(now, MAX_INTERVAL);
        repeats.failed(
            now,
            key,
            &format!("{status} {} {}", reason.error_type, shape(&reason.message)),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_failure_that_repeats_is_counted_whatever_ids_it_names() {
        let failed = FailedCalls::default();
        let start = Instant::now();
        let key = ("F".to_owned(), "GET /".to_owned());
        let lines: Vec<u64> = (0..30)
            .filter_map(|second| {
                let message = format!(
                    "RequestId: {} Error: order {second} is missing",
                    crate::ids::new_id()
                );
                let reason = Reason::new("E", &message);
                failed.due(
                    start + Duration::from_secs(second),
                    key.clone(),
                    StatusCode::BAD_GATEWAY,
                    &reason,
                )
            })
            .collect();
        assert_eq!(lines, [1, 11]);
        let other = Reason::new("Other", "x");
        assert_eq!(
            failed.due(start, key, StatusCode::BAD_GATEWAY, &other),
            Some(1)
        );
    }
}
