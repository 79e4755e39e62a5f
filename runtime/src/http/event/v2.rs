//! Payload format 2.0, as HTTP APIs and function URLs send it. An absent value is omitted.
//!
//! Every request takes this path: the event is written from borrowed parts, once.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::header::{CONTENT_TYPE, COOKIE, HeaderMap, USER_AGENT};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::super::authorizer::Granted;
use super::super::{decode, media};
use super::{EventParts, base64, forwarded, present, text};
use sam_template::model::ApiKind;

/// Bytes of an event beyond the request's body, as far as most events go.
const USUAL_BYTES: usize = 2 * 1024;

type Texts<'r> = BTreeMap<Cow<'r, str>, Cow<'r, str>>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'r> {
    version: &'static str,
    route_key: &'r str,
    raw_path: &'r str,
    raw_query_string: &'r str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    headers: Texts<'r>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: Texts<'r>,
    request_context: Context<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_parameters: Option<&'r BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage_variables: Option<&'r BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'r, str>>,
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
    authorizer: Option<Authorizer<'r>>,
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

#[derive(Serialize)]
struct Authorizer<'r> {
    jwt: Jwt<'r>,
}

#[derive(Serialize)]
struct Jwt<'r> {
    #[serde(serialize_with = "claims")]
    claims: &'r Map<String, Value>,
    scopes: Option<&'r [String]>,
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
    let event = Event {
        version: "2.0",
        route_key: &route_key,
        raw_path: parts.path,
        raw_query_string: parts.query(),
        cookies: cookies(&parts.head.headers),
        headers: headers(parts),
        query_string_parameters: query(parts.query()),
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
    };
    let mut bytes = Vec::with_capacity(parts.body.len() + USUAL_BYTES);
    serde_json::to_writer(&mut bytes, &event)?;
    Ok(bytes)
}

/// A body is text where its content type says so and it is UTF-8. Any other body, also one without
/// a content type, is base64.
fn body<'r>(body: &'r [u8], content_type: &str) -> (Option<Cow<'r, str>>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    match std::str::from_utf8(body) {
        Ok(text) if is_text(content_type) => (Some(text.into()), false),
        _ => (Some(base64(body).into()), true),
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
fn headers<'r>(parts: &'r EventParts<'r>) -> Texts<'r> {
    let headers = forwarded(parts).filter(|(name, _)| *name != COOKIE.as_str());
    joined(headers.map(|(name, value)| (name.into(), value)))
}

fn query<'r>(text: &str) -> Texts<'r> {
    let pairs = decode::query(text).into_iter();
    joined(pairs.map(|(name, value)| (name.into(), value.into())))
}

/// Values of one name joined by commas, in the order received.
fn joined<'r>(pairs: impl Iterator<Item = (Cow<'r, str>, Cow<'r, str>)>) -> Texts<'r> {
    let mut out = Texts::new();
    for (name, value) in pairs {
        out.entry(name)
            .and_modify(|held| {
                let held = held.to_mut();
                held.push(',');
                held.push_str(&value);
            })
            .or_insert(value);
    }
    out
}

fn authorizer(granted: &Granted) -> Authorizer<'_> {
    Authorizer {
        jwt: Jwt {
            claims: &granted.claims,
            scopes: granted.scopes.as_deref(),
        },
    }
}

/// HTTP APIs pass every claim on as text; lists as `[a b]`.
fn claims<S: Serializer>(claims: &Map<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(claims.iter().map(|(name, value)| (name, claim(value))))
}

fn claim(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => text.into(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(claim).collect();
            format!("[{}]", items.join(" ")).into()
        }
        other => other.to_string().into(),
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
            assert_eq!(body(b"{}", text), (Some("{}".into()), false), "{text}");
        }
        for binary in [
            "",
            " ",
            "application/octet-stream",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "json",
        ] {
            assert_eq!(body(b"{}", binary), (Some("e30=".into()), true), "{binary}");
        }
        assert_eq!(
            body(b"\xff", "text/plain"),
            (Some("/w==".into()), true),
            "not UTF-8"
        );
        assert_eq!(body(b"", ""), (None, false), "no body at all");
    }
}
