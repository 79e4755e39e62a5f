//! `CorsConfiguration`: the service answers preflight requests, and its headers replace the
//! function's.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::{Method, StatusCode};

use crate::listener::{Reply, empty_reply, set_header};
use sam_template::model::Cors;

pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// 204, with the CORS headers where the configuration allows the origin.
pub(super) fn preflight(cors: &Cors, request: &HeaderMap) -> Reply {
    let mut reply = empty_reply(StatusCode::NO_CONTENT);
    if let Some(origin) = allowed_origin(cors, request) {
        let max_age = cors.max_age.map(|seconds| seconds.to_string());
        common(cors, &origin, &mut reply);
        set(
            &mut reply,
            ACCESS_CONTROL_ALLOW_METHODS,
            &cors.methods.join(","),
        );
        set(
            &mut reply,
            ACCESS_CONTROL_ALLOW_HEADERS,
            &cors.headers.join(","),
        );
        set(
            &mut reply,
            ACCESS_CONTROL_MAX_AGE,
            &max_age.unwrap_or_default(),
        );
    }
    reply
}

/// Replaces the function's CORS headers by the service's.
pub(super) fn apply(cors: &Cors, request: &HeaderMap, reply: &mut Reply) {
    for name in [
        ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_CREDENTIALS,
        ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE,
    ] {
        reply.headers_mut().remove(name);
    }
    if let Some(origin) = allowed_origin(cors, request) {
        common(cors, &origin, reply);
        set(reply, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose.join(","));
    }
}

fn allowed_origin(cors: &Cors, request: &HeaderMap) -> Option<String> {
    let origin = request.get(ORIGIN)?.to_str().ok()?;
    if cors.origins.iter().any(|allowed| allowed == "*") {
        return Some("*".into());
    }
    let matches = |allowed: &String| match allowed.split_once('*') {
        // `https://*`: any host of that scheme
        Some((before, after)) => {
            origin.len() >= before.len() + after.len()
                && origin.starts_with(before)
                && origin.ends_with(after)
        }
        None => allowed.eq_ignore_ascii_case(origin),
    };
    cors.origins.iter().any(matches).then(|| origin.to_owned())
}

fn common(cors: &Cors, origin: &str, reply: &mut Reply) {
    if origin != "*" {
        reply
            .headers_mut()
            .append(VARY, HeaderValue::from_static("Origin"));
    }
    set(reply, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if cors.credentials {
        set(reply, ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
}

/// A setting without a value sets no header.
fn set(reply: &mut Reply, name: HeaderName, value: &str) {
    if !value.is_empty() {
        set_header(reply, name, value);
    }
}
