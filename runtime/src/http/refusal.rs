//! Answers that the service gives by itself, worded as HTTP APIs word them.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use http_body_util::Full;

use super::authorizer::Denied;
use crate::invocation::Rejected;

/// Every answer is whole when it leaves.
pub(super) type Reply = Response<Full<Bytes>>;

/// A status with `{"message": ...}`.
pub(super) fn message(status: StatusCode, text: &str) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(format!("{{\"message\":\"{text}\"}}"))));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// A status alone.
pub(super) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    reply
}

/// No route matches.
pub(super) fn not_found() -> Reply {
    message(StatusCode::NOT_FOUND, "Not Found")
}

/// The function failed, or its answer makes no sense.
pub(super) fn internal() -> Reply {
    message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

/// The function did not answer in time, or could not be reached.
pub(super) fn unavailable() -> Reply {
    message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
}

/// The body, or the event made of it, is larger than allowed.
pub(super) fn too_large() -> Reply {
    message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large")
}

/// The authorizer said no.
pub(super) fn denied(denied: Denied, scopes: &[String]) -> Reply {
    let scopes = scopes.join(" ");
    let (mut reply, challenge) = match denied {
        Denied::Missing => (message(StatusCode::UNAUTHORIZED, "Unauthorized"), "Bearer".to_owned()),
        Denied::Invalid(why) => (
            message(StatusCode::UNAUTHORIZED, "Unauthorized"),
            format!("Bearer scope=\"{scopes}\" error=\"invalid_token\" error_description=\"{why}\""),
        ),
        Denied::Scope => {
            (message(StatusCode::FORBIDDEN, "Forbidden"), format!("Bearer scope=\"{scopes}\" error=\"insufficient_scope\""))
        }
    };
    if let Ok(value) = HeaderValue::from_str(&challenge) {
        reply.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    reply
}

/// The event did not reach the function.
pub(super) fn rejected(rejected: &Rejected) -> Reply {
    match rejected {
        Rejected::TooLarge(_) => too_large(),
        Rejected::NotFound(_) => internal(),
        Rejected::Throttled(_) | Rejected::ShuttingDown => unavailable(),
    }
}
