//! Payload format 2.0, as HTTP APIs and function URLs send it. An absent value is omitted.

use std::collections::BTreeMap;

use http::header::{CONTENT_TYPE, COOKIE, HeaderMap, USER_AGENT};
use serde_json::{Map, Value, json};

use super::super::authorizer::Granted;
use super::super::{decode, media};
use super::{EventSource, base64, forwarded, lists, present, text};
use sam_template::model::ApiKind;

pub(super) fn build(parts: &EventSource<'_>) -> Value {
    let (body, is_base64) = body(parts.body, &parts.header(CONTENT_TYPE));
    let route = parts.found.route;
    let route_key = match route.path.as_str() {
        "$default" => "$default".to_owned(),
        path => format!("{} {path}", route.method),
    };
    let cookies = cookies(&parts.head.headers);
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": parts.path,
        "rawQueryString": parts.query(),
        "cookies": (!cookies.is_empty()).then_some(cookies),
        "headers": headers(parts),
        "queryStringParameters": present(&joined(decode::query(parts.query()))),
        "requestContext": context(parts, &route_key),
        "pathParameters": present(&parts.found.parameters),
        "stageVariables": present(&parts.api.variables),
        "body": body,
        "isBase64Encoded": is_base64,
    });
    if let Some(fields) = event.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    event
}

fn context(parts: &EventSource<'_>, route_key: &str) -> Value {
    let api = parts.api;
    let domain = parts.domain();
    let mut context = json!({
        "accountId": api.location.account,
        "apiId": api.id,
        "domainName": domain,
        "domainPrefix": domain.split('.').next(),
        "http": {
            "method": parts.head.method.as_str(),
            "path": parts.path,
            "protocol": parts.protocol(),
            "sourceIp": parts.source_ip(),
            "userAgent": parts.header(USER_AGENT),
        },
        "requestId": parts.request_id,
        "routeKey": route_key,
        "stage": api.stage,
        "time": parts.time(),
        "timeEpoch": parts.now.as_millisecond(),
    });
    if api.kind == ApiKind::FunctionUrl {
        // the signer of the request, which a URL with `AuthType: NONE` does not have
        context["authentication"] = Value::Null;
    }
    if let Some(granted) = parts.granted {
        context["authorizer"] = authorizer(granted);
    }
    context
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
fn headers(parts: &EventSource<'_>) -> BTreeMap<String, String> {
    let headers = forwarded(parts).into_iter();
    joined(headers.filter(|(name, _)| name != COOKIE.as_str()))
}

/// Values of one name joined by commas, in the order received.
fn joined(pairs: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let joined = |(name, values): (String, Vec<String>)| (name, values.join(","));
    lists(pairs).into_iter().map(joined).collect()
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
