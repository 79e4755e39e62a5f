//! The event a function receives: payload format 2.0.

use std::collections::BTreeMap;

use base64::Engine as _;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, HOST, HeaderMap, USER_AGENT};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::authorizer::Granted;
use super::decode;
use crate::template::ACCOUNT;

/// Everything the event is made of.
pub(super) struct Parts<'r> {
    pub(super) method: &'r str,
    /// With the stage in front, percent-encoded as it came.
    pub(super) path: &'r str,
    pub(super) query: &'r str,
    pub(super) protocol: &'r str,
    pub(super) headers: &'r HeaderMap,
    pub(super) body: &'r [u8],
    pub(super) source_ip: &'r str,
    pub(super) port: u16,
    pub(super) api: &'r str,
    pub(super) stage: &'r str,
    /// `GET /orders/{number}`, or `$default`.
    pub(super) route_key: &'r str,
    pub(super) path_parameters: &'r BTreeMap<String, String>,
    pub(super) granted: Option<&'r Granted>,
    pub(super) request_id: &'r str,
    pub(super) trace_id: &'r str,
    pub(super) now: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'r> {
    version: &'static str,
    route_key: &'r str,
    raw_path: &'r str,
    raw_query_string: &'r str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<String, String>,
    request_context: Context<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_parameters: Option<&'r BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'r> {
    account_id: &'static str,
    api_id: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<Value>,
    domain_name: &'r str,
    domain_prefix: &'r str,
    http: Http<'r>,
    request_id: &'r str,
    route_key: &'r str,
    stage: &'r str,
    time: String,
    time_epoch: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'r> {
    method: &'r str,
    path: &'r str,
    protocol: &'r str,
    source_ip: &'r str,
    user_agent: &'r str,
}

/// The event as JSON.
pub(super) fn build(parts: &Parts<'_>) -> Result<Bytes, serde_json::Error> {
    let text = |name| parts.headers.get(name).and_then(|v: &http::HeaderValue| v.to_str().ok()).unwrap_or("");
    let host = text(HOST);
    let domain = host.rsplit_once(':').map_or(host, |(name, port)| if port.parse::<u16>().is_ok() { name } else { host });
    let (body, is_base64_encoded) = body(parts.body, text(CONTENT_TYPE));
    let event = Event {
        version: "2.0",
        route_key: parts.route_key,
        raw_path: parts.path,
        raw_query_string: parts.query,
        cookies: cookies(parts.headers),
        headers: headers(parts),
        query_string_parameters: joined(decode::query(parts.query)),
        request_context: Context {
            account_id: ACCOUNT,
            api_id: parts.api,
            authorizer: parts.granted.map(authorizer),
            domain_name: domain,
            domain_prefix: domain.split('.').next().unwrap_or(domain),
            http: Http {
                method: parts.method,
                path: parts.path,
                protocol: parts.protocol,
                source_ip: parts.source_ip,
                user_agent: text(USER_AGENT),
            },
            request_id: parts.request_id,
            route_key: parts.route_key,
            stage: parts.stage,
            time: parts.now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            time_epoch: parts.now.as_millisecond(),
        },
        path_parameters: Some(parts.path_parameters).filter(|parameters| !parameters.is_empty()),
        body,
        is_base64_encoded,
    };
    serde_json::to_vec(&event).map(Bytes::from)
}

/// Text stays text where the content type says so and it is UTF-8; all else travels as base64.
fn body(body: &[u8], content_type: &str) -> (Option<String>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    match std::str::from_utf8(body) {
        Ok(text) if is_text(content_type) => (Some(text.to_owned()), false),
        _ => (Some(base64::engine::general_purpose::STANDARD.encode(body)), true),
    }
}

fn is_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    kind.is_empty()
        || kind.starts_with("text/")
        || matches!(kind.as_str(), "application/json" | "application/xml" | "application/javascript" | "application/graphql")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(';')).map(|cookie| cookie.trim().to_owned()).filter(|cookie| !cookie.is_empty()).collect()
}

/// Names in lower case, several values joined by commas, cookies apart; and what the service adds on the way.
fn headers(parts: &Parts<'_>) -> BTreeMap<String, String> {
    let added = ["x-forwarded-for", "x-forwarded-port", "x-forwarded-proto", "x-amzn-trace-id"];
    let pairs = parts.headers.iter().filter(|(name, _)| **name != COOKIE && !added.contains(&name.as_str()));
    let mut headers =
        joined(pairs.map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())));
    let before = parts.headers.get("x-forwarded-for").and_then(|value| value.to_str().ok());
    let forwarded = before.map_or_else(|| parts.source_ip.to_owned(), |before| format!("{before}, {}", parts.source_ip));
    headers.insert("x-forwarded-for".into(), forwarded);
    headers.insert("x-forwarded-port".into(), parts.port.to_string());
    headers.insert("x-forwarded-proto".into(), "http".into());
    headers.insert("x-amzn-trace-id".into(), parts.trace_id.to_owned());
    headers
}

/// Values of one name joined by commas, in the order they came.
fn joined(pairs: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let mut out: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs {
        match out.entry(name) {
            std::collections::btree_map::Entry::Occupied(mut held) => {
                held.get_mut().push(',');
                held.get_mut().push_str(&value);
            }
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(value);
            }
        }
    }
    out
}

/// HTTP APIs hand every claim on as text; lists as `[a b]`.
fn authorizer(granted: &Granted) -> Value {
    let claims: Map<String, Value> =
        granted.claims.iter().map(|(name, value)| (name.clone(), Value::String(claim(value)))).collect();
    serde_json::json!({ "jwt": { "claims": claims, "scopes": granted.scopes } })
}

fn claim(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(claim).collect::<Vec<_>>().join(" ")),
        other => other.to_string(),
    }
}
