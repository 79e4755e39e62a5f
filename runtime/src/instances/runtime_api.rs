//! The Lambda Runtime API (2018-06-01), and the way to the Extensions API ([`super::extensions`]), served on a loopback
//! listener that belongs to one process.
//!
//! `next` waits for a job; `response` and `error` answer it; `init/error` says why the function cannot start.
//! An answer is acknowledged as soon as it is read: whatever follows from it happens elsewhere.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::dispatch::Assignment;
use super::environment::arn;
use super::extensions;
use super::failure::{self, MAX_RESPONSE};
use super::instance::Instance;
use super::peer;
use crate::connections::places::Places;
use crate::connections::{self, Peers, Rules};
use crate::invocation::Outcome;

pub(super) type Reply = Response<Full<Bytes>>;

/// Connections of one process at one time: one for each event that it takes at a time, with some to spare.
const MOST_CONNECTIONS: usize = 64;

/// Serves the process' connections until the task is dropped; `never` stays false until then.
pub(super) async fn serve(
    listener: TcpListener,
    instance: Arc<Instance>,
    never: watch::Receiver<bool>,
) {
    let places = Places::new("Runtime API", MOST_CONNECTIONS, usize::MAX);
    let rules = Rules {
        timed: false,
        admits: of_this_user,
        ..Rules::default()
    };
    connections::serve(listener, places, rules, never, move |request, peers| {
        let instance = instance.clone();
        async move { route(request, &instance, &peers).await }
    })
    .await;
}

fn of_this_user(client: SocketAddr, server: SocketAddr) -> bool {
    let own = peer::is_same_user(client, server);
    if !own {
        tracing::warn!(%client, "refused a connection of another user to a function's Runtime API");
    }
    own
}

async fn route(request: Request<Incoming>, instance: &Arc<Instance>, peers: &Peers) -> Reply {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (request.method(), parts.as_slice()) {
        (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => next(instance).await,
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => {
            answer(request, instance, id).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "error"]) => {
            error(request, instance, id).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
            init_error(request, instance).await
        }
        (&Method::POST, ["2020-01-01", "extension", "register"]) => {
            extensions::register(request, instance, peers).await
        }
        (&Method::GET, ["2020-01-01", "extension", "event", "next"]) => {
            extensions::next(&request, instance).await
        }
        (
            &Method::POST,
            [
                "2020-01-01",
                "extension",
                phase @ ("init" | "exit"),
                "error",
            ],
        ) => extensions::error(request, instance, phase).await,
        _ => refuse(
            StatusCode::NOT_FOUND,
            "NotFound",
            &format!("no {} {path} in this API", request.method()),
        ),
    }
}

async fn next(instance: &Arc<Instance>) -> Reply {
    let Ok(assignment) = instance.next().await else {
        // being ended: any answer would make the runtime exit with an error before it is asked to end
        return std::future::pending().await;
    };
    let Assignment {
        request_id,
        invocation_id,
        deadline_ms,
        trace_id,
        client_context,
        qualifier,
        payload,
    } = assignment;
    let mut invoked = arn(&instance.runner.function);
    if let Some(qualifier) = qualifier {
        invoked.extend([":", &qualifier]);
    }
    let mut response = Response::builder()
        .header("Content-Type", "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", &*request_id)
        .header("Lambda-Runtime-Invocation-Id", invocation_id)
        .header("Lambda-Runtime-Deadline-Ms", deadline_ms)
        .header("Lambda-Runtime-Invoked-Function-Arn", invoked)
        .header("Lambda-Runtime-Trace-Id", trace_id);
    if let Some(context) = client_context {
        response = response.header("Lambda-Runtime-Client-Context", &*context);
    }
    response.body(Full::new(payload)).unwrap_or_else(|error| {
        refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "BadHeader",
            &error.to_string(),
        )
    })
}

async fn answer(request: Request<Incoming>, instance: &Instance, id: &str) -> Reply {
    let invocation = header(request.headers(), "lambda-runtime-invocation-id");
    if let Ok(body) = read(request.into_body()).await {
        return settle(instance, id, invocation.as_deref(), Outcome::Answer(body));
    }
    let outcome = Outcome::Error(failure::response_too_large());
    instance.complete(id, invocation.as_deref(), outcome);
    instance.condemn();
    refuse(
        StatusCode::PAYLOAD_TOO_LARGE,
        "RequestEntityTooLarge",
        &format!("an answer has at most {MAX_RESPONSE} bytes"),
    )
}

async fn error(request: Request<Incoming>, instance: &Instance, id: &str) -> Reply {
    let invocation = header(request.headers(), "lambda-runtime-invocation-id");
    let kind = header(request.headers(), "lambda-runtime-function-error-type");
    let body = read(request.into_body()).await.unwrap_or_default();
    let outcome = Outcome::Error(failure::reported(kind.as_deref(), body));
    settle(instance, id, invocation.as_deref(), outcome)
}

fn settle(instance: &Instance, id: &str, invocation: Option<&str>, outcome: Outcome) -> Reply {
    if instance.complete(id, invocation, outcome) {
        accepted()
    } else {
        refuse(
            StatusCode::BAD_REQUEST,
            "InvalidRequestID",
            "no such invocation is in flight: late, or answered before",
        )
    }
}

async fn init_error(request: Request<Incoming>, instance: &Instance) -> Reply {
    let kind = header(request.headers(), "lambda-runtime-function-error-type");
    let body = read(request.into_body()).await.unwrap_or_default();
    instance.report_init_error(failure::reported(kind.as_deref(), body));
    instance.condemn();
    accepted()
}

/// Bytes that are not UTF-8 become U+FFFD: an invocation id that cannot be read is another invocation's, not none.
pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(String::from_utf8_lossy(headers.get(name)?.as_bytes()).into_owned())
}

/// The body does not fit, or its sender died within it.
#[derive(Debug)]
pub(super) struct TooLong;

pub(super) async fn read(body: Incoming) -> Result<Bytes, TooLong> {
    match Limited::new(body, MAX_RESPONSE).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(TooLong),
        // cut off: the process is ending, and the supervisor will answer for it
        Err(_) => std::future::pending().await,
    }
}

pub(super) fn accepted() -> Reply {
    reply(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.into())
}

pub(super) fn refuse(status: StatusCode, kind: &str, message: &str) -> Reply {
    reply(
        status,
        json!({ "errorType": kind, "errorMessage": message }).to_string(),
    )
}

fn reply(status: StatusCode, body: String) -> Reply {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json);
    response
}
