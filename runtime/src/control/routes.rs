//! Which answer belongs to which path.

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Serialize;
use serde_json::json;

use super::dead_letters::DeadLetterCounts;
use super::{Answer, Host, activity, guard, health, metrics, offsets, page, status, tuner};
use crate::connections::Peers;
use crate::connections::body::Unread;
use crate::http::decode;

/// Bytes of a change at most.
const MOST_BYTES: usize = 16 * 1024;

const SETTINGS: &str = "/_usher/settings";
const OFFSETS: &str = "/_usher/offsets";

/// What a POST may change.
const CHANGES: [&str; 2] = [SETTINGS, OFFSETS];

/// What a GET shows, besides the page and the settings.
const SHOWN: [&str; 8] = [
    "/_usher/status",
    "/_usher/activity",
    "/_usher/parked",
    "/_usher/token",
    "/_usher/health",
    "/metrics",
    "/health",
    "/health/live",
];

const PATHS: &str = "there is /_usher/ (the page), /_usher/status, /_usher/activity, /_usher/settings, /_usher/parked, /metrics, /health and /health/live";

pub(super) async fn answer(
    request: Request<Incoming>,
    peers: &Peers,
    host: &Host,
    dead_letters: &DeadLetterCounts,
) -> Answer {
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
            if !guard::has_token(headers, &host.token) {
                return message(
                    StatusCode::FORBIDDEN,
                    "a change needs the header x-usher-token, with the token of /_usher/token",
                );
            }
            change(&path, request, peers, host).await
        }
        // a HEAD is answered like a GET; the connection sends no body after it
        Method::GET | Method::HEAD if path != OFFSETS => {
            shown(&path, own_page, host, dead_letters).await
        }
        _ if own_page.is_none() && !changes && !SHOWN.contains(&path.as_str()) => {
            message(StatusCode::NOT_FOUND, PATHS)
        }
        ref method => other(&path, method),
    }
}

/// The first parameter of a query, shortened.
fn unknown_parameter(query: &str) -> Option<String> {
    let (name, _) = decode::query(query).into_iter().next()?;
    Some(crate::observation::shortened(&name, 60))
}

/// What a path shows.
async fn shown(
    path: &str,
    own_page: Option<Answer>,
    host: &Host,
    dead_letters: &DeadLetterCounts,
) -> Answer {
    match path {
        "/_usher/status" => json(StatusCode::OK, &status::picture(host)),
        "/_usher/activity" => json(StatusCode::OK, &activity::picture(host)),
        SETTINGS => json(StatusCode::OK, &tuner::picture(&host.tuner)),
        "/_usher/parked" => json(StatusCode::OK, &dead_letters.get(&host.app).await),
        "/_usher/token" => json(StatusCode::OK, &json!({ "token": host.token })),
        "/metrics" => text(
            "text/plain; version=0.0.4; charset=utf-8",
            metrics::render(&status::picture(host), &host.observations),
        ),
        // for the page: a browser logs a 503 as an error
        "/_usher/health" => json(StatusCode::OK, &health::judge(&status::picture(host))),
        "/health/live" => json(StatusCode::OK, &json!({ "status": "ok" })),
        "/health" => {
            let health = health::judge(&status::picture(host));
            json(
                if health.is_well() {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                },
                &health,
            )
        }
        _ => own_page.unwrap_or_else(|| message(StatusCode::NOT_FOUND, PATHS)),
    }
}

/// The answer to OPTIONS, and to methods that a path does not have.
fn other(path: &str, method: &Method) -> Answer {
    let allowed = match path {
        OFFSETS => "OPTIONS, POST",
        SETTINGS => "GET, HEAD, OPTIONS, POST",
        _ => "GET, HEAD, OPTIONS",
    };
    let mut answer = if *method == Method::OPTIONS {
        let mut answer = Answer::default();
        *answer.status_mut() = StatusCode::NO_CONTENT;
        answer
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

async fn change(path: &str, request: Request<Incoming>, peers: &Peers, host: &Host) -> Answer {
    let who = request
        .headers()
        .get("x-usher-who")
        .and_then(|who| who.to_str().ok())
        .unwrap_or("http");
    let who = crate::observation::shortened(who, 60);
    let body = match peers.body(request.into_body(), MOST_BYTES).await {
        Ok(body) => body,
        Err(unread) => {
            let status = match unread {
                Unread::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                Unread::Slow => StatusCode::REQUEST_TIMEOUT,
                Unread::Broken(_) => StatusCode::BAD_REQUEST,
                Unread::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
            };
            return message(status, &format!("the body cannot be read: {unread}"));
        }
    };
    if path == OFFSETS {
        return match strict_json::from_slice(&body) {
            Ok(change) => outcome(offsets::change(host, &who, &change).await),
            Err(error) => message(
                StatusCode::BAD_REQUEST,
                &format!("not a move of a consumer group: {error}"),
            ),
        };
    }
    match strict_json::from_slice(&body) {
        Ok(wish) => outcome(
            host.tuner
                .wish(&who, &wish)
                .map(|change| json!({ "change": change })),
        ),
        Err(error) => message(
            StatusCode::BAD_REQUEST,
            &format!("not a change ({error}): target, setting and value, all text"),
        ),
    }
}

/// What a change came to, or why it was refused.
fn outcome(result: Result<impl Serialize, String>) -> Answer {
    match result {
        Ok(answer) => json(StatusCode::OK, &answer),
        Err(why) => message(StatusCode::UNPROCESSABLE_ENTITY, &why),
    }
}

fn message(status: StatusCode, text: &str) -> Answer {
    json(status, &json!({ "message": text }))
}

fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(body) => {
            let mut answer = text("application/json", body);
            *answer.status_mut() = status;
            answer
        }
        Err(error) => {
            let mut answer = text("text/plain", error.to_string());
            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            answer
        }
    }
}

/// An answer that no cache keeps and no browser takes for something else.
pub(super) fn text(kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Answer::new(Full::new(body.into()));
    let fixed = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    answer
        .headers_mut()
        .extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    answer
}
