//! The response to each path and method.

use std::fmt::Display;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use serde::Serialize;
use serde_json::{Value, json};

use super::dead_letters::DeadLetterCounts;
use super::{ControlState, guard, health, metrics, offsets, page, status};
use crate::http::decode;
use crate::listener::body::BodyError;
use crate::listener::{ConnectionInfo, Reply, empty_reply, json_reply, reply};
use crate::observation::{Observations, shortened};

/// Bytes of a change at most.
const MAX_CHANGE_BYTES: usize = 16 * 1024;

const SETTINGS: &str = "/_usher/settings";
const OFFSETS: &str = "/_usher/offsets";

/// Paths of a POST.
const CHANGES: [&str; 2] = [SETTINGS, OFFSETS];

/// Paths of a GET, besides the page and the settings.
const READ_ONLY: [&str; 8] = [
    "/_usher/status",
    "/_usher/activity",
    "/_usher/parked",
    "/_usher/token",
    "/_usher/health",
    "/metrics",
    "/health",
    "/health/live",
];

const PATHS: &str = "there is /_usher/ (the page), /_usher/status, /_usher/activity, \
                     /_usher/settings, /_usher/parked, /metrics, /health and /health/live";

pub(super) async fn answer(
    request: Request<Incoming>,
    connection: &ConnectionInfo,
    state: &ControlState,
    dead_letters: &DeadLetterCounts,
) -> Reply {
    let headers = request.headers();
    if !guard::is_local(headers) {
        return message(
            StatusCode::FORBIDDEN,
            "only for programs on this machine: a loopback Host, no foreign Origin",
        );
    }
    let path = request.uri().path().to_owned();
    let own_page = page::file(&path);
    let changes = CHANGES.contains(&path.as_str());
    if own_page.is_none()
        && let Some(parameter) = unknown_parameter(request.uri().query().unwrap_or_default())
    {
        return message(
            StatusCode::BAD_REQUEST,
            &format!("{path} takes no query parameters; {parameter:?} has no effect here"),
        );
    }
    match *request.method() {
        Method::POST if changes => {
            if !guard::has_token(headers, &state.token) {
                return message(
                    StatusCode::FORBIDDEN,
                    "a change needs the header x-usher-token, with the token of /_usher/token",
                );
            }
            change(&path, request, connection, state).await
        }
        // a HEAD is answered like a GET; the connection sends no body after it
        Method::GET | Method::HEAD if path != OFFSETS => {
            show(&path, own_page, state, dead_letters).await
        }
        _ if own_page.is_none() && !changes && !READ_ONLY.contains(&path.as_str()) => {
            message(StatusCode::NOT_FOUND, PATHS)
        }
        ref method => other(&path, method),
    }
}

/// The first parameter of a query, shortened.
fn unknown_parameter(query: &str) -> Option<String> {
    let (name, _) = decode::query(query).into_iter().next()?;
    Some(shortened(&name, 60))
}

/// The response to a GET.
async fn show(
    path: &str,
    own_page: Option<Reply>,
    state: &ControlState,
    dead_letters: &DeadLetterCounts,
) -> Reply {
    match path {
        "/_usher/status" => json(StatusCode::OK, &status::snapshot(state)),
        "/_usher/activity" => json(StatusCode::OK, &activity(&state.observations)),
        SETTINGS => {
            let settings = state.tuner.settings();
            let answer = json!({ "settings": settings.views(), "changes": settings.changes() });
            json(StatusCode::OK, &answer)
        }
        "/_usher/parked" => json(StatusCode::OK, &dead_letters.get().await),
        "/_usher/token" => json(StatusCode::OK, &json!({ "token": state.token })),
        "/metrics" => text(
            "text/plain; version=0.0.4; charset=utf-8",
            metrics::render(&status::snapshot(state), &state.observations),
        ),
        // for the page: a browser would log a 503 as an error
        "/_usher/health" => json(StatusCode::OK, &health::assess(&status::snapshot(state))),
        "/health/live" => json(StatusCode::OK, &json!({ "status": "ok" })),
        "/health" => {
            let health = health::assess(&status::snapshot(state));
            let code = if health.is_well() {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            json(code, &health)
        }
        _ => own_page.unwrap_or_else(|| message(StatusCode::NOT_FOUND, PATHS)),
    }
}

/// The last invocations and failures, newest first, and similar failures, counted.
fn activity(observations: &Observations) -> Value {
    json!({
        "invocations": observations.invocations(),
        "failures": observations.failures(),
        "failure_groups": observations.failure_groups(),
    })
}

/// The response to OPTIONS, and to methods that a path does not have.
fn other(path: &str, method: &Method) -> Reply {
    let allowed = match path {
        OFFSETS => "OPTIONS, POST",
        SETTINGS => "GET, HEAD, OPTIONS, POST",
        _ => "GET, HEAD, OPTIONS",
    };
    let mut answer = if *method == Method::OPTIONS {
        empty_reply(StatusCode::NO_CONTENT)
    } else {
        message(
            StatusCode::METHOD_NOT_ALLOWED,
            &format!("{path} takes {allowed}; POST {SETTINGS} and POST {OFFSETS} change something"),
        )
    };
    answer
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allowed));
    answer
}

async fn change(
    path: &str,
    request: Request<Incoming>,
    connection: &ConnectionInfo,
    state: &ControlState,
) -> Reply {
    let who = request
        .headers()
        .get("x-usher-who")
        .and_then(|who| who.to_str().ok())
        .unwrap_or("http");
    let who = shortened(who, 60);
    let body = match connection
        .read_body(request.into_body(), MAX_CHANGE_BYTES)
        .await
    {
        Ok(body) => body,
        Err(error) => {
            let status = match error {
                BodyError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                BodyError::Timeout => StatusCode::REQUEST_TIMEOUT,
                BodyError::Broken(_) => StatusCode::BAD_REQUEST,
                BodyError::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
            };
            return message(status, &format!("the body cannot be read: {error}"));
        }
    };
    let invalid = |text: String| message(StatusCode::BAD_REQUEST, &text);
    if path == OFFSETS {
        return match strict_json::from_slice(&body) {
            Ok(change) => changed("became", offsets::change(state, &who, &change).await),
            Err(error) => invalid(format!("not a move of a consumer group: {error}")),
        };
    }
    match strict_json::from_slice(&body) {
        Ok(request) => changed("change", state.tuner.apply(&who, &request)),
        Err(error) => invalid(format!(
            "not a change ({error}): target, setting and value, all text"
        )),
    }
}

/// The response to a change: what it returned, under this name, or why nothing changed.
fn changed(name: &str, result: Result<impl Serialize, impl Display>) -> Reply {
    match result {
        Ok(changed) => json(StatusCode::OK, &json!({ name: changed })),
        Err(why) => message(StatusCode::UNPROCESSABLE_ENTITY, &why.to_string()),
    }
}

fn message(status: StatusCode, text: &str) -> Reply {
    json(status, &json!({ "message": text }))
}

fn json(status: StatusCode, body: &impl Serialize) -> Reply {
    match serde_json::to_vec(body) {
        Ok(body) => guarded(json_reply(status, body)),
        Err(error) => guarded(reply(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain",
            error.to_string(),
        )),
    }
}

pub(super) fn text(kind: &'static str, body: impl Into<Bytes>) -> Reply {
    guarded(reply(StatusCode::OK, kind, body))
}

/// No cache may keep the response, and no browser take it for another type.
fn guarded(mut reply: Reply) -> Reply {
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    reply
        .headers_mut()
        .extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    reply
}
