//! Errors as problem details (RFC 9457): the error, its place and its remedy.

use std::fmt::Display;

use serde_json::{Map, Value};
use shared::gate::GateError;
use shared::message::BadValue;
use shared::refill::RefillError;
use shared::store::StoreError;

/// A refused or failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status, 400 to 599.
    pub status: u16,
    /// Machine-readable kind, also part of `type`.
    pub code: &'static str,
    /// Human-readable kind, the same for every problem of a code.
    pub title: &'static str,
    /// One sentence about this occurrence.
    pub detail: String,
    /// Further members, by code (docs/reference/http-api.md).
    pub extras: Map<String, Value>,
    /// Seconds after which the client should retry.
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A problem without extras.
    pub fn new(status: u16, code: &'static str, title: &'static str, detail: impl Display) -> Self {
        Self {
            status,
            code,
            title,
            detail: detail.to_string(),
            extras: Map::new(),
            retry_after: None,
        }
    }

    /// Adds a member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extras.insert(name.to_owned(), value.into());
        self
    }

    /// Sets Retry-After, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// 400: the request cannot be read.
    pub fn malformed(detail: impl Display) -> Self {
        let title = "The request cannot be read";
        Self::new(400, "malformed_request", title, detail)
    }

    /// 409: the state of the resource does not allow the request.
    pub fn conflict(code: &'static str, title: &'static str, detail: impl Display) -> Self {
        Self::new(409, code, title, detail)
    }

    /// 401: no valid token.
    pub fn unauthorized(detail: impl Display) -> Self {
        Self::new(401, "unauthorized", "No valid token", detail)
    }

    /// 403: the token lacks a scope.
    pub fn forbidden(detail: impl Display) -> Self {
        Self::new(403, "forbidden", "Not allowed", detail)
    }

    /// 404: the resource does not exist, or the caller may not see it.
    pub fn not_found(code: &'static str, detail: impl Display) -> Self {
        Self::new(404, code, "Not found", detail)
    }

    /// 429: too many requests of one buyer or address; another one is allowed after so many seconds.
    pub fn too_many_requests(seconds: u32) -> Self {
        let detail = format!("too many requests; try again in {seconds} s");
        Self::new(429, "too_many_requests", "Too many requests", detail).retry_after(seconds)
    }

    /// 422: the order is impossible.
    pub fn invalid_order(detail: impl Display) -> Self {
        let title = "The order cannot be taken as it is";
        Self::new(422, "invalid_order", title, detail)
    }

    /// 421: the template sends the request to a function of another class.
    pub fn misdirected(detail: impl Display) -> Self {
        let title = "The request reached the wrong function";
        Self::new(421, "misdirected_request", title, detail)
    }

    /// 503: a server is unavailable. Seats that are still held expire.
    pub fn unavailable(detail: impl Display) -> Self {
        Self::new(503, "unavailable", "Temporarily unavailable", detail).retry_after(2)
    }

    /// 503: the program's seats are being loaded.
    pub fn loading() -> Self {
        let detail = "the seats of this program are being loaded; try again in a moment";
        Self::new(503, "loading", "The program is loading", detail).retry_after(1)
    }

    /// 503: the broker has not received the order, and no seats are held.
    pub fn publish_failed() -> Self {
        let detail = "the order could not be published; the seats are free again";
        Self::new(503, "publish_failed", "The order was not taken", detail).retry_after(2)
    }

    /// 503: the outcome is unknown. A request with the same key finds the same order.
    pub fn unknown(order: impl Display) -> Self {
        let detail = "the outcome of the order is not known yet; repeat the request with the same \
                      Idempotency-Key, or look it up";
        let title = "The outcome is not known yet";
        Self::new(503, "unknown_repeat_with_same_key", title, detail)
            .with("order", order.to_string())
            .retry_after(2)
    }

    /// The JSON document.
    pub fn body(&self) -> Value {
        let mut body = self.extras.clone();
        body.insert(
            "type".into(),
            format!("urn:ticket-sale:problem:{}", self.code).into(),
        );
        body.insert("title".into(), self.title.into());
        body.insert("status".into(), self.status.into());
        body.insert("detail".into(), self.detail.clone().into());
        body.insert("code".into(), self.code.into());
        body.into()
    }
}

/// The error is logged; the answer contains no details of it.
impl From<StoreError> for Problem {
    fn from(e: StoreError) -> Self {
        tracing::error!(error = %e, "cannot use Postgres");
        Self::unavailable("the order book cannot be reached; try again")
    }
}

impl From<GateError> for Problem {
    fn from(e: GateError) -> Self {
        tracing::error!(error = %e, "cannot use the gate");
        Self::unavailable("the gate cannot be reached; try again")
    }
}

impl From<RefillError> for Problem {
    fn from(e: RefillError) -> Self {
        match e {
            RefillError::Store(e) => e.into(),
            RefillError::Gate(e) => e.into(),
        }
    }
}

impl From<BadValue> for Problem {
    fn from(e: BadValue) -> Self {
        Self::invalid_order(e)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn extras_cannot_replace_the_members_of_rfc_9457() {
        let body = Problem::new(409, "seats_taken", "Taken", "seats 1 and 2")
            .with("seats", vec![1, 2])
            .with("status", 200)
            .body();
        assert_eq!(
            body,
            json!({
                "type": "urn:ticket-sale:problem:seats_taken", "title": "Taken", "status": 409,
                "detail": "seats 1 and 2", "code": "seats_taken", "seats": [1, 2],
            })
        );
    }

    #[test]
    fn every_temporary_problem_has_a_retry_after() {
        for problem in [
            Problem::unavailable(""),
            Problem::loading(),
            Problem::publish_failed(),
            Problem::unknown(7),
        ] {
            assert_eq!(problem.status, 503);
            assert!(problem.retry_after.is_some_and(|s| s > 0), "{problem:?}");
        }
    }
}
