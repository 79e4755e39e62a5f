//! `CorsConfiguration`: the service answers preflight requests, and its headers replace the
//! function's.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use crate::listener::{Reply, empty_reply};
use sam_template::model::Cors;

pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// 204, with the CORS headers where the configuration allows the origin.
pub(super) fn preflight(cors: &Cors, request: &HeaderMap) -> Reply {
    let mut reply = empty_reply(StatusCode::NO_CONTENT);
    let Some(origin) = allowed_origin(cors, request) else {
        return reply;
    };
    let headers = reply.headers_mut();
    common(cors, &origin, headers);
    set(
        headers,
        header::ACCESS_CONTROL_ALLOW_METHODS,
        &cors.methods.join(","),
    );
    set(
        headers,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        &cors.headers.join(","),
    );
    if let Some(seconds) = cors.max_age {
        set(
            headers,
            header::ACCESS_CONTROL_MAX_AGE,
            &seconds.to_string(),
        );
    }
    reply
}

/// Replaces the function's CORS headers by the service's.
pub(super) fn apply(cors: &Cors, request: &HeaderMap, reply: &mut Reply) {
    let headers = reply.headers_mut();
    for name in [
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        header::ACCESS_CONTROL_ALLOW_METHODS,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        header::ACCESS_CONTROL_MAX_AGE,
    ] {
        headers.remove(name);
    }
    if let Some(origin) = allowed_origin(cors, request) {
        common(cors, &origin, headers);
        set(
            headers,
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            &cors.expose.join(","),
        );
    }
}

fn allowed_origin(cors: &Cors, request: &HeaderMap) -> Option<String> {
    let origin = request.get(header::ORIGIN)?.to_str().ok()?;
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

fn common(cors: &Cors, origin: &str, headers: &mut HeaderMap) {
    if origin != "*" {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    set(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if cors.credentials {
        set(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value)
        && !value.is_empty()
    {
        headers.insert(name, value);
    }
}
