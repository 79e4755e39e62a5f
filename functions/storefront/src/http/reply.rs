//! Successful answers, and their conversion to responses.

use lambda_http::Body;
use lambda_http::http::Response;
use lambda_http::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use serde_json::Value;

use super::Problem;

/// A successful answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Path of the resource.
    pub location: Option<String>,
    /// Seconds after which the client should read the resource.
    pub retry_after: Option<u32>,
    /// The resource as JSON.
    pub body: Value,
}

impl Reply {
    /// 200 with a body.
    pub fn ok(body: Value) -> Self {
        Self {
            status: 200,
            location: None,
            retry_after: None,
            body,
        }
    }

    /// Another status, with the path of the resource.
    pub fn at(status: u16, location: String, body: Value) -> Self {
        Self {
            status,
            location: Some(location),
            retry_after: None,
            body,
        }
    }

    /// Sets Retry-After, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The response for a reply or a problem.
    pub fn response(result: Result<Self, Problem>) -> Response<Body> {
        let allowed = match &result {
            Err(problem) if problem.status == 405 => problem
                .extras
                .get("allowed")
                .and_then(Value::as_str)
                .map(str::to_owned),
            _ => None,
        };
        let (status, kind, location, retry_after, body) = match result {
            Ok(reply) => (
                reply.status,
                "application/json",
                reply.location,
                reply.retry_after,
                reply.body,
            ),
            Err(problem) => (
                problem.status,
                "application/problem+json",
                None,
                problem.retry_after,
                problem.body(),
            ),
        };
        let mut response = Response::builder()
            .status(status)
            .header(CONTENT_TYPE, kind)
            .header(CACHE_CONTROL, "no-store");
        if let Some(location) = location {
            response = response.header(LOCATION, location);
        }
        if let Some(seconds) = retry_after {
            response = response.header(RETRY_AFTER, seconds);
        }
        // RFC 9110, section 15.5.6: an answer of 405 names the methods.
        if let Some(allowed) = allowed {
            response = response.header(ALLOW, allowed);
        }
        // Cannot fail: statuses are constants, locations are made of digits.
        response
            .body(Body::Text(body.to_string()))
            .unwrap_or_else(|_| Response::new(Body::Empty))
    }
}
