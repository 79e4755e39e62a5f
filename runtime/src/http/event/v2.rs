//! Payload format 2.0, as HTTP APIs and function URLs send it. An absent value is omitted.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::header::{CONTENT_TYPE, COOKIE, HeaderMap, USER_AGENT};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::super::authorizer::Granted;
use super::super::{decode, media};
use super::{EventParts, base64, forwarded, present, text};
use sam_template::model::ApiKind;

type Texts = BTreeMap<String, String>;

/// Typed, because a [`Value`] copies the body and the headers once more.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'r> {
    version: &'static str,
    route_key: &'r str,
    raw_path: &'r str,
    raw_query_string: &'r str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: Texts,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: Texts,
    request_context: Context<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_parameters: Option<&'r Texts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage_variables: Option<&'r Texts>,
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
    source_ip: String,
    user_agent: Cow<'r, str>,
}

/// The event as JSON.
pub(super) fn build(parts: &EventParts<'_>) -> serde_json::Result<Vec<u8>> {
    let (body, is_base64_encoded) = body(parts.body, &parts.header(CONTENT_TYPE));
    let route = parts.found.route;
    let route_key = match route.path.as_str() {
        "$default" => "$default".to_owned(),
        path => format!("{} {path}", route.method),
    };
    let api = parts.api;
    let domain = parts.domain();
    serde_json::to_vec(&Event {
        version: "2.0",
        route_key: &route_key,
        raw_path: parts.path,
        raw_query_string: parts.query(),
        cookies: cookies(&parts.head.headers),
        headers: headers(parts),
        query_string_parameters: joined(decode::query(parts.query())),
        request_context: Context {
            account_id: &api.location.account,
            api_id: &api.id,
            authentication: (api.kind == ApiKind::FunctionUrl).then_some(()),
            authorizer: parts.granted.map(authorizer),
            domain_name: &domain,
            domain_prefix: domain.split('.').next().unwrap_or(&domain),
            http: Http {
                method: parts.head.method.as_str(),
                path: parts.path,
                protocol: parts.protocol(),
                source_ip: parts.source_ip(),
                user_agent: parts.header(USER_AGENT),
            },
            request_id: parts.request_id,
            route_key: &route_key,
            stage: &api.stage,
            time: parts.time(),
            time_epoch: parts.now.as_millisecond(),
        },
        path_parameters: present(&parts.found.parameters),
        stage_variables: present(&api.variables),
        body,
        is_base64_encoded,
    })
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
    let kind = media::without_parameters(content_type).to_ascii_lowercase();
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
    let headers: Vec<_> = headers.get_all(COOKIE).iter().map(text).collect();
    let cookies = headers.join(";");
    cookies
        .split(';')
        .map(|cookie| cookie.trim().to_owned())
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

/// Names in lower case, several values joined by commas, without cookies.
fn headers(parts: &EventParts<'_>) -> Texts {
    let headers = forwarded(parts).into_iter();
    joined(headers.filter(|(name, _)| name != COOKIE.as_str()))
}

/// Values of one name joined by commas, in the order received.
fn joined(pairs: impl IntoIterator<Item = (String, String)>) -> Texts {
    let mut out = Texts::new();
    for (name, value) in pairs {
        out.entry(name)
            .and_modify(|held| {
                held.push(',');
                held.push_str(&value);
            })
            .or_insert(value);
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
    json!({ "jwt": { "claims": claims, "scopes": granted.scopes } })
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
