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
        match result {
            Ok(reply) => {
                let location = reply.location.map(|path| ("location", path));
                let kind = "application/json";
                response(reply.status, kind, location, reply.retry_after, &reply.body)
            }
            Err(problem) => {
                let body = problem.body();
                // RFC 9110, section 15.5.6: an answer of 405 names the methods.
                let allowed = body["allowed"].as_str().filter(|_| problem.status == 405);
                let allowed = allowed.map(|methods| ("allow", methods.to_owned()));
                let kind = "application/problem+json";
                response(problem.status, kind, allowed, problem.retry_after, &body)
            }
        }
    }
}

fn response(
    status: u16,
    kind: &'static str,
    header: Option<(&'static str, String)>,
    retry_after: Option<u32>,
    body: &Value,
) -> HttpResponse {
    let mut headers = vec![
        ("content-type", Cow::from(kind)),
        ("cache-control", "no-store".into()),
    ];
    headers.extend(header.map(|(name, value)| (name, value.into())));
    headers.extend(retry_after.map(|seconds| ("retry-after", seconds.to_string().into())));
    HttpResponse {
        status,
        headers,
        body: body.to_string(),
        is_base64_encoded: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_becomes_a_response_with_its_headers() {
        let reply = Reply::at(202, "/orders/7".to_owned(), json!({"order": "7"})).retry_after(1);
        let response = Reply::response(Ok(reply));
        assert_eq!(
            (response.status, response.body.as_str()),
            (202, r#"{"order":"7"}"#)
        );
        for (name, value) in [
            ("content-type", Some("application/json")),
            ("cache-control", Some("no-store")),
            ("location", Some("/orders/7")),
            ("retry-after", Some("1")),
            ("allow", None),
        ] {
            assert_eq!(response.header(name), value, "{name}");
        }
    }

    #[test]
    fn only_a_405_names_the_allowed_methods() {
        for (status, allow) in [(405, Some("GET, POST")), (409, None)] {
            let problem =
                Problem::new(status, "code", "Title", "detail").with("allowed", "GET, POST");
            let response = Reply::response(Err(problem));
            assert_eq!(response.status, status);
            assert_eq!(response.header("allow"), allow);
            let kind = response.header("content-type");
            assert_eq!(kind, Some("application/problem+json"));
            assert_eq!(response.header("location"), None);
            assert_eq!(response.header("retry-after"), None);
        }
    }
}
