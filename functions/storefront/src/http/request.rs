//! A request as its handler sees it.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use shared::message::IdempotencyKey;
use shared::telemetry::TraceContext;

use super::{Fields, Problem};
use crate::identity::Claims;

/// Maximum size of a body: the largest program has 100 categories of 100 characters.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Maximum of the parameter `wait`.
pub const MAX_WAIT: Duration = Duration::from_secs(20);

/// Maximum number of characters shown of an unknown parameter's name.
const MAX_SHOWN_NAME: usize = 60;

/// Maximum length of a reason, characters.
const MAX_WHY: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WhyBody {
    why: String,
}

/// Whether a text is one line of 1 to `max` characters.
pub(crate) fn is_line(text: &str, max: usize) -> bool {
    !text.is_empty() && text.chars().count() <= max && !text.chars().any(char::is_control)
}

/// A request. Only its claims are trusted.
///
/// A handler refuses an unreadable value and never treats it as absent: without its key or its
/// condition it would be another request. The exception is `traceparent`, by W3C Trace Context.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// `GET`, ...
    pub method: String,
    /// Path without stage and query.
    pub path: String,
    /// Query parameters, decoded.
    pub query: Fields,
    /// Headers, names in lower case.
    pub headers: Fields,
    /// The body, decoded from base64 if necessary.
    pub body: Vec<u8>,
    /// Claims that the authorizer verified; empty on public routes.
    pub claims: Claims,
    /// The peer that the gateway saw: the client, or the last proxy in front of the gateway.
    pub source_ip: Option<IpAddr>,
    /// Span of this request, if spans are recorded.
    pub span: Option<TraceContext>,
}

impl Call {
    /// Parses the body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.body.len() > MAX_BODY_BYTES {
            let length = self.body.len();
            let detail = format!("the body has {length} bytes; at most {MAX_BODY_BYTES} are taken");
            let title = "The body is too large";
            return Err(Problem::new(413, "too_large", title, detail));
        }
        if self.body.is_empty() {
            return Err(Problem::malformed("the body is empty; JSON is expected"));
        }
        strict_json::from_slice(&self.body)
            .map_err(|e| Problem::malformed(format_args!("the body cannot be used: {e}")))
    }

    /// A header by its name in lower case; `None` if the request has none.
    pub fn header(&self, name: &str) -> Result<Option<&str>, Problem> {
        self.headers
            .get(name)
            .map_err(|why| Problem::malformed(format_args!("header {name} {why}")))
    }

    /// Refuses a query parameter that is not listed: to ignore a condition would answer another
    /// request.
    pub fn only(&self, listed: &[&str]) -> Result<(), Problem> {
        let Some(name) = self.query.names().find(|name| !listed.contains(name)) else {
            return Ok(());
        };
        let name: String = name.chars().take(MAX_SHOWN_NAME).collect();
        let alternatives = if listed.is_empty() {
            "it takes none".to_owned()
        } else {
            format!("there are {}", listed.join(", "))
        };
        let detail = format!(
            "{} {} has no query parameter {name:?}; {alternatives}",
            self.method, self.path
        );
        Err(Problem::malformed(detail)
            .with("parameter", name)
            .with("parameters", listed.to_vec()))
    }

    /// A query parameter; `None` if the request has none.
    pub fn parameter(&self, name: &str) -> Result<Option<&str>, Problem> {
        self.query
            .get(name)
            .map_err(|why| Problem::malformed(format_args!("query parameter {name} {why}")))
    }

    /// A query parameter, parsed.
    pub fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        let value = self.parameter(name)?.map(str::parse).transpose();
        value.map_err(|e| Problem::malformed(format_args!("query parameter {name}: {e}")))
    }

    /// Header `Idempotency-Key`.
    pub fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Problem> {
        let key = self.header("idempotency-key")?.map(IdempotencyKey::new);
        key.transpose()
            .map_err(|e| Problem::malformed(format_args!("header idempotency-key: {e}")))
    }

    /// Query parameter `wait`, seconds.
    pub fn wait(&self) -> Result<Duration, Problem> {
        let seconds = self.number("wait", 0, MAX_WAIT.as_secs())?;
        Ok(Duration::from_secs(seconds.unwrap_or(0)))
    }

    /// A query parameter that `read` accepts. `rule` is the detail of the problem.
    pub fn checked<'a, T>(
        &'a self,
        name: &str,
        rule: impl Display,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let value = self.parameter(name)?;
        let checked = value.map(|text| read(text).ok_or_else(|| Problem::malformed(rule)));
        checked.transpose()
    }

    /// A query parameter as a whole number from `min` to `max`.
    pub fn number(&self, name: &str, min: u64, max: u64) -> Result<Option<u64>, Problem> {
        let rule = format!("{name} must be a whole number from {min} to {max}");
        self.checked(name, rule, |text| {
            text.parse().ok().filter(|n| (min..=max).contains(n))
        })
    }

    /// The operator's reason for an action: member `why` of the body.
    pub(crate) fn why(&self, code: &'static str, title: &'static str) -> Result<String, Problem> {
        let WhyBody { why } = self.json()?;
        let why = why.trim();
        if !is_line(why, MAX_WHY) {
            let detail = format!("why: 1 to {MAX_WHY} characters on one line are expected");
            return Err(Problem::new(422, code, title, detail));
        }
        Ok(why.to_owned())
    }

    /// Header `traceparent`, if it is valid enough to be forwarded. By W3C Trace Context an
    /// unreadable one starts a new trace and is no error.
    pub fn traceparent(&self) -> Option<&str> {
        let trace = self.headers.get("traceparent").ok()??;
        let usable =
            !trace.is_empty() && trace.len() <= 128 && trace.bytes().all(|b| b.is_ascii_graphic());
        usable.then_some(trace)
    }

    /// Traceparent for the messages of this request: its own span's, else the caller's.
    pub fn trace(&self) -> Option<String> {
        self.span
            .map(|span| span.to_string())
            .or_else(|| self.traceparent().map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_query(name: &str, value: &str) -> Call {
        Call {
            query: [(name, value)].into_iter().collect(),
            ..Call::default()
        }
    }

    #[test]
    fn a_wait_is_bounded_and_defaults_to_zero() {
        assert_eq!(Call::default().wait(), Ok(Duration::ZERO));
        assert_eq!(with_query("wait", "20").wait(), Ok(MAX_WAIT));
        for bad in ["21", "-1", "soon", "", "1.5"] {
            assert_eq!(
                with_query("wait", bad).wait().map_err(|p| p.status),
                Err(400),
                "{bad}"
            );
        }
    }

    #[test]
    fn an_unknown_parameter_is_refused_by_name() {
        assert_eq!(with_query("limit", "1").only(&["after", "limit"]), Ok(()));
        let refused = with_query("Limit", "1")
            .only(&["after", "limit"])
            .expect_err("names differ by case");
        assert_eq!((refused.status, refused.code), (400, "malformed_request"));
        assert!(
            refused.detail.contains("\"Limit\"; there are after, limit"),
            "{}",
            refused.detail
        );
        let refused = with_query(&"x".repeat(1000), "1")
            .only(&[])
            .expect_err("no parameter is listed");
        assert!(
            refused.detail.len() < 120 && refused.detail.ends_with("it takes none"),
            "{}",
            refused.detail
        );
    }

    #[test]
    fn an_invalid_body_is_refused_with_its_reason() {
        let call = |body: &[u8]| Call {
            body: body.to_vec(),
            ..Call::default()
        };
        let read = |body: &[u8]| call(body).json::<u8>().map_err(|p| (p.status, p.detail));
        assert_eq!(read(b"7"), Ok(7));
        assert_eq!(read(b"").map_err(|e| e.0), Err(400));
        assert_eq!(
            read(&vec![b' '; MAX_BODY_BYTES + 1]).map_err(|e| e.0),
            Err(413)
        );
        assert!(
            read(b"\"seven\"").is_err_and(|(status, why)| status == 400 && why.contains("seven"))
        );
    }

    #[test]
    fn a_reason_of_another_type_is_refused_without_internal_names() {
        for (body, expected) in [
            ("7", "expected a JSON object"),
            (r#"["w"]"#, "expected a JSON object"),
            (r#"{"why":7}"#, "expected a string"),
            ("{}", "missing field `why`"),
        ] {
            let call = Call {
                body: body.into(),
                ..Call::default()
            };
            let refused = call.why("invalid_close", "title").expect_err(body);
            assert_eq!((refused.status, refused.code), (400, "malformed_request"));
            let detail = refused.detail;
            assert!(detail.contains(expected), "{detail}");
            assert!(!detail.contains("WhyBody"), "{detail}");
        }
    }
}
