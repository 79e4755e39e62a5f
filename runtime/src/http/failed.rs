//! Logs failed calls: function, route, status, duration, error type and message, and the request id
//! of the function's own lines.
//!
//! A call has failed if the function or the host could not answer it, or if the function answered
//! with a status from 500 on. A denial by the authorizer is logged at debug. Errors of the client
//! (no such route, a body that is too large) are not logged. A repeated failure is logged at
//! growing intervals with its count.

use std::fmt;
use std::sync::Mutex;
use std::time::Instant;

use http::StatusCode;

use super::refusal::ApiRefusal;
use crate::instances::reason;
use crate::invocation::Rejected;
use crate::listener::body::BodyError;
use crate::lock::lock;
use crate::observation::{MAX_INTERVAL, Repeats, shape, shortened};
use sam_template::model::Route;

/// Bytes of a message at most.
const MAX_MESSAGE: usize = 1_000;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FailureReason {
    /// The function's `errorType`, or a name for what happened before or after it ran.
    error_type: String,
    message: String,
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&reason(&self.error_type, &self.message))
    }
}

impl FailureReason {
    pub(super) fn new(error_type: &str, message: &str) -> Self {
        Self {
            error_type: shortened(error_type, 200),
            message: shortened(message, MAX_MESSAGE),
        }
    }
}

/// Why a call is refused.
#[derive(Debug)]
pub(super) struct RefusedCall {
    pub(super) refusal: ApiRefusal,
    /// For the log; `None`: an error of the client.
    pub(super) reason: Option<FailureReason>,
}

impl RefusedCall {
    pub(super) fn new(refusal: ApiRefusal, error_type: &str, message: &str) -> Self {
        Self {
            refusal,
            reason: Some(FailureReason::new(error_type, message)),
        }
    }
}

impl From<ApiRefusal> for RefusedCall {
    fn from(refusal: ApiRefusal) -> Self {
        Self {
            refusal,
            reason: None,
        }
    }
}

impl From<BodyError> for RefusedCall {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => ApiRefusal::TooLarge.into(),
            BodyError::Timeout => ApiRefusal::SlowRequest.into(),
            BodyError::Broken(_) => ApiRefusal::BadRequest.into(),
            BodyError::NoRoom => Self::new(ApiRefusal::NoRoom, "NoCapacity", &error.to_string()),
        }
    }
}

/// The invocation did not reach the function.
impl From<Rejected> for RefusedCall {
    fn from(rejected: Rejected) -> Self {
        let (refusal, error_type) = match rejected {
            Rejected::NotFound(_) => (ApiRefusal::Internal, "NotFound"),
            Rejected::Throttled(_) => (ApiRefusal::Throttled, "Throttled"),
            Rejected::NoCapacity { .. } => (ApiRefusal::NoRoom, "NoCapacity"),
            Rejected::TooLarge(_) => (ApiRefusal::TooLarge, "TooLarge"),
            Rejected::ShuttingDown => (ApiRefusal::Unreachable, "ShuttingDown"),
        };
        Self::new(refusal, error_type, &rejected.to_string())
    }
}

/// Logged failures, by function and route.
#[derive(Debug, Default)]
pub(super) struct FailedCalls(Mutex<Repeats<(String, String)>>);

impl FailedCalls {
    /// Logs a failed call, or only counts it.
    pub(super) fn log(
        &self,
        started: Instant,
        route: &Route,
        status: StatusCode,
        request_id: &str,
        reason: &FailureReason,
    ) {
        let now = Instant::now();
        let function = &route.function;
        let path = format!("{} {}", route.method, route.path);
        if let Some(times) = self.due(now, (function.clone(), path.clone()), status, reason) {
            tracing::warn!(
                function,
                route = path,
                status = status.as_u16(),
                duration_ms = now.duration_since(started).as_millis() as u64,
                error_type = reason.error_type,
                request_id,
                times,
                "a call failed: {}",
                reason.message
            );
        }
    }

    /// The count so far, where a log line is due.
    fn due(
        &self,
        now: Instant,
        key: (String, String),
        status: StatusCode,
        reason: &FailureReason,
    ) -> Option<u64> {
        let mut repeats = lock(&self.0);
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
    fn repeated_failures_are_counted_despite_different_ids() {
        let failed = FailedCalls::default();
        let start = Instant::now();
        let key = ("F".to_owned(), "GET /".to_owned());
        let lines: Vec<u64> = (0..30)
            .filter_map(|second| {
                let message = format!(
                    "RequestId: {} Error: order {second} is missing",
                    crate::ids::new_id()
                );
                let reason = FailureReason::new("E", &message);
                failed.due(
                    start + Duration::from_secs(second),
                    key.clone(),
                    StatusCode::BAD_GATEWAY,
                    &reason,
                )
            })
            .collect();
        assert_eq!(lines, [1, 11]);
        let other = FailureReason::new("Other", "x");
        assert_eq!(
            failed.due(start, key, StatusCode::BAD_GATEWAY, &other),
            Some(1)
        );
    }
}
