//! A request, read once and bounded.

use std::collections::HashMap;
use std::time::Duration;

use lambda_http::request::RequestContext;
use lambda_http::{Body, Request, RequestExt};
use serde::de::DeserializeOwned;
use shared::message::IdempotencyKey;
use shared::telemetry::TraceContext;

use super::Problem;
use crate::identity::Claims;

/// Largest body taken, bytes: the largest program has 100 categories of 100 characters.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Longest time to wait for an order to be stored.
pub const MAX_WAIT: Duration = Duration::from_secs(20);

/// What a handler sees of a request. Nothing in it is trusted but the claims.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// `GET`, ...
    pub method: String,
    /// Without stage and query.
    pub path: String,
    /// Query parameters; of repeated ones the first.
    pub query: HashMap<String, String>,
    /// Headers, names in lower case; of repeated ones the first. Values that are not visible ASCII are left out.
    pub headers: HashMap<String, String>,
    /// The body as sent.
    pub body: Vec<u8>,
    /// What the authorizer verified; empty on public routes.
    pub claims: Claims,
    /// The span of this request, where traces are wanted.
    pub span: Option<TraceContext>,
}

impl Call {
    /// Takes a request apart.
    pub fn read(request: Request) -> Self {
        let claims = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => {
                context.authorizer.as_ref().and_then(|a| a.jwt.as_ref()).map(|jwt| jwt.claims.clone()).unwrap_or_default()
            }
            _ => HashMap::new(),
        };
        let query = request.query_string_parameters_ref().map(|query| {
            let names: Vec<&str> = query.iter().map(|(name, _)| name).collect();
            names.into_iter().filter_map(|n| Some((n.to_owned(), query.first(n)?.to_owned()))).collect()
        });
        let headers = request.headers();
        let headers =
            headers.keys().filter_map(|name| Some((name.as_str().to_owned(), headers.get(name)?.to_str().ok()?.to_owned())));
        Self {
            method: request.method().as_str().to_owned(),
            path: request.raw_http_path().to_owned(),
            query: query.unwrap_or_default(),
            headers: headers.collect(),
            claims: Claims::new(claims),
            span: None,
            body: match request.into_body() {
                Body::Text(text) => text.into_bytes(),
                Body::Binary(bytes) => bytes,
                _ => Vec::new(),
            },
        }
    }

    /// The body as JSON of a shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.body.len() > MAX_BODY_BYTES {
            let detail = format!("the body has {} bytes; at most {MAX_BODY_BYTES} are taken", self.body.len());
            return Err(Problem::new(413, "too_large", "The body is too large", detail));
        }
        if self.body.is_empty() {
            return Err(Problem::malformed("the body is empty; JSON is expected"));
        }
        serde_json::from_slice(&self.body).map_err(|e| Problem::malformed(format_args!("the body cannot be used: {e}")))
    }

    /// Header `Idempotency-Key`.
    pub fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Problem> {
        let key = self.headers.get("idempotency-key").map(|key| IdempotencyKey::new(key.as_str()));
        key.transpose().map_err(|e| Problem::malformed(format_args!("Idempotency-Key: {e}")))
    }

    /// Query parameter `wait`, seconds.
    pub fn wait(&self) -> Result<Duration, Problem> {
        Ok(Duration::from_secs(self.number("wait", 0, MAX_WAIT.as_secs())?.unwrap_or(0)))
    }

    /// A whole number in the query.
    pub fn number(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>, Problem> {
        let Some(text) = self.query.get(name) else { return Ok(None) };
        match text.parse() {
            Ok(n) if (least..=most).contains(&n) => Ok(Some(n)),
            _ => Err(Problem::malformed(format_args!("{name} must be a whole number from {least} to {most}"))),
        }
    }

    /// Header `traceparent`, if it can travel on with the order.
    pub fn traceparent(&self) -> Option<&str> {
        let trace = self.headers.get("traceparent")?;
        let usable = !trace.is_empty() && trace.len() <= 128 && trace.bytes().all(|b| b.is_ascii_graphic());
        usable.then_some(trace.as_str())
    }

    /// The traceparent of what this request causes: its own span's, else what the caller sent.
    pub fn trace(&self) -> Option<String> {
        self.span.map(|span| span.to_string()).or_else(|| self.traceparent().map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_query(name: &str, value: &str) -> Call {
        Call { query: HashMap::from([(name.to_owned(), value.to_owned())]), ..Call::default() }
    }

    #[test]
    fn a_wait_is_bounded_and_absent_is_none() {
        assert_eq!(Call::default().wait(), Ok(Duration::ZERO));
        assert_eq!(with_query("wait", "20").wait(), Ok(MAX_WAIT));
        for bad in ["21", "-1", "soon", "", "1.5"] {
            assert_eq!(with_query("wait", bad).wait().map_err(|p| p.status), Err(400), "{bad}");
        }
    }

    #[test]
    fn a_body_that_cannot_be_used_says_why() {
        let call = |body: &[u8]| Call { body: body.to_vec(), ..Call::default() };
        let read = |body: &[u8]| call(body).json::<u8>().map_err(|p| (p.status, p.detail));
        assert_eq!(read(b"7"), Ok(7));
        assert_eq!(read(b"").map_err(|e| e.0), Err(400));
        assert_eq!(read(&vec![b' '; MAX_BODY_BYTES + 1]).map_err(|e| e.0), Err(413));
        assert!(read(b"\"seven\"").is_err_and(|(status, why)| status == 400 && why.contains("seven")));
    }
}
