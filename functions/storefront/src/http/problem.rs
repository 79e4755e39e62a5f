//! Errors as RFC 9457 problem details: what is wrong, where, what to do next.

use std::fmt::Display;

use serde_json::{Map, Value, json};
use shared::gate::GateError;
use shared::message::BadValue;
use shared::refill::RefillError;
use shared::store::StoreError;

/// A refused or failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status, 400 to 599.
    pub status: u16,
    /// What kind of problem it is: a word for programs, part of `type` too.
    pub code: &'static str,
    /// The kind in a few words for people; the same for every problem of the code.
    pub title: &'static str,
    /// This occurrence in a sentence.
    pub detail: String,
    /// Further members, by code (docs/reference/http-api.md).
    pub extras: Map<String, Value>,
    /// Seconds after which repeating makes sense.
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

    /// The same with one more member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extras.insert(name.to_owned(), value.into());
        self
    }

    /// The same with a time to come back, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// 400: the request cannot be read.
    pub fn malformed(detail: impl Display) -> Self {
        Self::new(
            400,
            "malformed_request",
            "The request cannot be read",
            detail,
        )
    }

    /// 401: nobody is asking.
    pub fn unauthorized(detail: impl Display) -> Self {
        Self::new(401, "unauthorized", "No valid token", detail)
    }

    /// 403: somebody who may not.
    pub fn forbidden(detail: impl Display) -> Self {
        Self::new(403, "forbidden", "Not allowed", detail)
    }

    /// 404 for something that does not exist, or is not this buyer's to know of.
    pub fn not_found(code: &'static str, detail: impl Display) -> Self {
        Self::new(404, code, "Not found", detail)
    }

    /// 422: an order that can never be.
    pub fn invalid_order(detail: impl Display) -> Self {
        Self::new(
            422,
            "invalid_order",
            "The order cannot be taken as it is",
            detail,
        )
    }

    /// 503: a server is away; nothing is held that does not end by itself.
    pub fn unavailable(detail: impl Display) -> Self {
        Self::new(503, "unavailable", "Temporarily unavailable", detail).retry_after(2)
    }

    /// 503: the program's seats are being loaded.
    pub fn loading() -> Self {
        let detail = "the seats of this program are being loaded; try again in a moment";
        Self::new(503, "loading", "The program is loading", detail).retry_after(1)
    }

    /// 503: the broker did not get the order, nothing is held.
    pub fn publish_failed() -> Self {
        let detail = "the order could not be passed on; the seats are free again";
        Self::new(503, "publish_failed", "The order was not taken", detail).retry_after(2)
    }

    /// 503: nobody knows yet. The same key leads to the same order.
    pub fn unknown(order: impl Display) -> Self {
        let detail = "it is not known yet whether the order was taken; repeat the request with the same Idempotency-Key, or look it up";
        Self::new(
            503,
            "unknown_repeat_with_same_key",
            "The outcome is not known yet",
            detail,
        )
        .with("order", order.to_string())
        .retry_after(2)
    }

    /// The JSON document.
    pub fn body(&self) -> Value {
        let mut body = Map::new();
        body.insert(
            "type".into(),
            format!("urn:ticket-sale:problem:{}", self.code).into(),
        );
        body.insert("title".into(), self.title.into());
        body.insert("status".into(), self.status.into());
        body.insert("detail".into(), self.detail.clone().into());
        body.insert("code".into(), self.code.into());
        for (name, value) in &self.extras {
            body.entry(name).or_insert_with(|| value.clone());
        }
        json!(body)
    }
}

/// What went wrong inside is logged; a buyer learns only that it did.
impl From<StoreError> for Problem {
    fn from(e: StoreError) -> Self {
        tracing::error!(error = %e, "postgres");
        Self::unavailable("the order book cannot be reached; try again")
    }
}

impl From<GateError> for Problem {
    fn from(e: GateError) -> Self {
        tracing::error!(error = %e, "gate");
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
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_rfc_9457_and_extras_cannot_replace_them() {
        let body = Problem::new(409, "seats_taken", "Taken", "seats 1 and 2")
            .with("seats", vec![1, 2])
            .with("status", 200)
            .body();
        assert_eq!(
            body,
            json!({
                "type": "urn:ticket-sale:problem:seats_taken", "title": "Taken", "status": 409, "detail": "seats 1 and 2",
                "code": "seats_taken", "seats": [1, 2],
            })
        );
    }

    #[test]
    fn whoever_is_told_to_come_back_is_told_when() {
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
