//! Successful answers, and their conversion to responses.

use lambda_http::Body;
use lambda_http::http::Response;
use lambda_http::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use serde_json::{Value, json};

use super::Problem;

/// A successful answer.
#[derive(Debug, Clone, Default, PartialEq)]
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
            body,
            ..Self::default()
        }
    }

    /// Another status, with the path of the resource.
    pub fn at(status: u16, location: String, body: Value) -> Self {
        Self {
            status,
            location: Some(location),
            body,
            ..Self::default()
        }
    }

    /// A page of a list. `rows` has one row more than `limit` if another page follows; `cursor` is
    /// then the place behind the last row shown.
    pub(crate) fn page<T>(
        list: &str,
        rows: &[T],
        limit: u32,
        view: impl Fn(&T) -> Value,
        cursor: impl Fn(&T) -> String,
    ) -> Self {
        let shown = &rows[..rows.len().min(limit as usize)];
        let next = shown.last().filter(|_| rows.len() > shown.len());
        let view: Vec<Value> = shown.iter().map(view).collect();
        Self::ok(json!({ list: view, "after": next.map(cursor) }))
    }

    /// Sets Retry-After, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The response for a reply or a problem.
    pub fn response(result: Result<Self, Problem>) -> Response<Body> {
        let (status, kind, optional, body) = match result {
            Ok(reply) => {
                let optional = (LOCATION, reply.location, reply.retry_after);
                (reply.status, "application/json", optional, reply.body)
            }
            Err(problem) => {
                let body = problem.body();
                // RFC 9110, section 15.5.6: an answer of 405 names the methods.
                let allowed = body["allowed"].as_str().filter(|_| problem.status == 405);
                let optional = (ALLOW, allowed.map(str::to_owned), problem.retry_after);
                (problem.status, "application/problem+json", optional, body)
            }
        };
        let mut response = Response::builder()
            .status(status)
            .header(CONTENT_TYPE, kind)
            .header(CACHE_CONTROL, "no-store");
        let (name, value, retry_after) = optional;
        if let Some(value) = value {
            response = response.header(name, value);
        }
        if let Some(seconds) = retry_after {
            response = response.header(RETRY_AFTER, seconds);
        }
        // Cannot fail: statuses are constants, locations are made of digits.
        response
            .body(Body::Text(body.to_string()))
            .unwrap_or_else(|_| Response::new(Body::Empty))
    }
}
