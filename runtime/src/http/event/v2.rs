//! Payload format 2.0, as HTTP APIs and function URLs send it.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, HeaderMap, USER_AGENT};
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::authorizer::Granted;
use super::super::decode;
use super::{EventSource, base64, forwarded};
use sam_template::model::ApiKind;

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
    stage_variables: Option<&'r BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'r> {
    account_id: &'r str,
    api_id: &'r str,
    /// The signer of the request; `null` for a URL with `AuthType: NONE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<()>,
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
pub(super) fn build(parts: &EventSource<'_>) -> Result<Bytes, serde_json::Error> {
    let (body, is_base64_encoded) = body(parts.body, &parts.header(CONTENT_TYPE));
    let route_key = match parts.route_path {
        "$default" => "$default".to_owned(),
        path => format!("{} {path}", parts.route_method),
    };
    let api = parts.api;
    let domain = parts.domain();
    let user_agent = parts.header(USER_AGENT);
    let event = Event {
        version: "2.0",
        route_key: &route_key,
        raw_path: parts.path,
        raw_query_string: parts.query,
        cookies: cookies(parts.headers),
        headers: headers(parts),
        query_string_parameters: joined(decode::query(parts.query)),
        request_context: Context {
            account_id: &api.location.account,
            api_id: &api.id,
            authentication: (api.kind == ApiKind::FunctionUrl).then_some(()),
            authorizer: parts.granted.map(authorizer),
            domain_name: &domain,
            domain_prefix: domain.split('.').next().unwrap_or(&domain),
            http: Http {
                method: parts.method,
                path: parts.path,
                protocol: parts.protocol,
                source_ip: parts.source_ip,
                user_agent: &user_agent,
            },
            request_id: parts.request_id,
            route_key: &route_key,
            stage: &api.stage,
            time: parts.time(),
            time_epoch: parts.now.as_millisecond(),
        },
        path_parameters: Some(parts.path_parameters).filter(|parameters| !parameters.is_empty()),
        stage_variables: Some(&api.variables).filter(|variables| !variables.is_empty()),
        body,
        is_base64_encoded,
    };
    serde_json::to_vec(&event).map(Bytes::from)
}

/// A body is text where its content type says so and it is UTF-8. Any other body, also one without
/// a content type, is base64.
fn body(body: &[u8], content_type: &str) -> (Option<String>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    match std::str::from_utf8(body) {
        Ok(text) if is_text(content_type) => (Some(text.to_owned()), false),
        _ => (Some(base64(body)), true),
    }
}

fn is_text(content_type: &str) -> bool {
    let kind = content_type
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase();
    kind.starts_with("text/")
        || matches!(
            kind.as_str(),
            "application/json"
                | "application/xml"
                | "application/javascript"
                | "application/graphql"
        )
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values = headers
        .get_all(COOKIE)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let cookies = values.flat_map(|value| {
        value
            .split(';')
            .map(|cookie| cookie.trim().to_owned())
            .collect::<Vec<_>>()
    });
    cookies.filter(|cookie| !cookie.is_empty()).collect()
}

/// Names in lower case, several values joined by commas, without cookies.
fn headers(parts: &EventSource<'_>) -> BTreeMap<String, String> {
    let cookie = COOKIE.as_str();
    joined(
        forwarded(parts)
            .into_iter()
            .filter(|(name, _)| name != cookie),
    )
}

/// Values of one name joined by commas, in the order received.
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

/// HTTP APIs pass every claim on as text; lists as `[a b]`.
fn authorizer(granted: &Granted) -> Value {
    let claims: Map<String, Value> = granted
        .claims
        .iter()
        .map(|(name, value)| (name.clone(), Value::String(claim(value))))
        .collect();
    serde_json::json!({ "jwt": { "claims": claims, "scopes": granted.scopes } })
}

fn claim(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(claim).collect::<Vec<_>>().join(" ")
        ),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_text_by_its_content_type() {
        for text in [
            "text/plain",
            "TEXT/CSV; charset=utf-8",
            "application/json; charset=utf-8",
            "application/xml",
            "application/a+json",
        ] {
            assert_eq!(body(b"{}", text), (Some("{}".to_owned()), false), "{text}");
        }
        for binary in [
            "",
            " ",
            "application/octet-stream",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "json",
        ] {
            assert_eq!(
                body(b"{}", binary),
                (Some("e30=".to_owned()), true),
                "{binary}"
            );
        }
        assert_eq!(
            body(b"\xff", "text/plain"),
            (Some("/w==".to_owned()), true),
            "not UTF-8"
        );
        assert_eq!(body(b"", ""), (None, false), "no body at all");
    }
}
