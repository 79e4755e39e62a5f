//! Successful answers, and their conversion to responses.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{HttpResponse, Problem};

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
    pub fn response(result: Result<Self, Problem>) -> HttpResponse {
        let (status, kind, optional, retry_after, body) = match result {
            Ok(reply) => {
                let location = reply.location.map(|path| ("location", path));
                (
                    reply.status,
                    "application/json",
                    location,
                    reply.retry_after,
                    reply.body,
                )
            }
            Err(problem) => {
                let body = problem.body();
                // RFC 9110, section 15.5.6: an answer of 405 names the methods.
                let allowed = body["allowed"].as_str().filter(|_| problem.status == 405);
                let allowed = allowed.map(|methods| ("allow", methods.to_owned()));
                (
                    problem.status,
                    "application/problem+json",
                    allowed,
                    problem.retry_after,
                    body,
                )
            }
        };
        let optional = optional.map(|(name, value)| (name, Cow::from(value)));
        let retry_after = retry_after.map(|seconds| ("retry-after", seconds.to_string().into()));
        let fixed = [
            ("content-type", kind.into()),
            ("cache-control", "no-store".into()),
        ];
        HttpResponse {
            status,
            headers: fixed
                .into_iter()
                .chain(optional)
                .chain(retry_after)
                .collect(),
            body: body.to_string(),
            is_base64_encoded: false,
        }
    }
}
