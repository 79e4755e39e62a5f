//! The Lambda Runtime API (2018-06-01) and as much of the Extensions API (2020-01-01) as internal extensions need,
//! served on a loopback listener that belongs to one process.
//!
//! `next` waits for a job; `response` and `error` answer it; `init/error` says why the function cannot start.
//! An answer is acknowledged as soon as it is read: whatever follows from it happens elsewhere.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::dispatch::Assignment;
use super::environment::arn;
use super::failure::{self, MAX_RESPONSE};
use super::instance::Instance;
use super::peer;
use crate::connections::places::Places;
use crate::connections::{self, Rules};
use crate::invocation::Outcome;

type Reply = Response<Full<Bytes>>;

/// Connections of one process at one time: one for each event that it takes at a time, with some to spare.
const MOST_CONNECTIONS: usize = 64;

/// Serves the process' connections until the task is dropped; `never` stays false until then.
pub(super) async fn serve(listener: TcpListener, instance: Arc<Instance>, never: watch::Receiver<bool>) {
    let places = Places::new("Runtime API", MOST_CONNECTIONS, usize::MAX);
    let rules = Rules { timed: false, admits: of_this_user, ..Rules::default() };
    connections::serve(listener, places, rules, never, move |request, _| {
        let instance = instance.clone();
        async move { route(request, &instance).await }
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

async fn route(request: Request<Incoming>, instance: &Arc<Instance>) -> Reply {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (request.method(), parts.as_slice()) {
        (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => next(instance).await,
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => answer(request, instance, id).await,
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "error"]) => error(request, instance, id).await,
        (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => init_error(request, instance).await,
        (&Method::POST, ["2020-01-01", "extension", "register"]) => register(instance),
        (&Method::GET, ["2020-01-01", "extension", "event", "next"]) => extension_next(&request, instance).await,
        (&Method::POST, ["2020-01-01", "extension", "init" | "exit", "error"]) => extension_error(request, instance).await,
        _ => refuse(StatusCode::NOT_FOUND, "NotFound", &format!("no {} {path} in this API", request.method())),
    }
}

async fn next(instance: &Arc<Instance>) -> Reply {
    let Ok(assignment) = instance.next().await else {
        // being ended: any answer would make the runtime exit with an error before it is asked to end
        return std::future::pending().await;
    };
    let Assignment { request_id, invocation_id, deadline_ms, trace_id, payload } = assignment;
    let response = Response::builder()
        .header("Content-Type", "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", &*request_id)
        .header("Lambda-Runtime-Invocation-Id", invocation_id)
        .header("Lambda-Runtime-Deadline-Ms", deadline_ms)
        .header("Lambda-Runtime-Invoked-Function-Arn", arn(&instance.runner.function))
        .header("Lambda-Runtime-Trace-Id", trace_id)
        .body(Full::new(payload));
    response.unwrap_or_else(|error| refuse(StatusCode::INTERNAL_SERVER_ERROR, "BadHeader", &error.to_string()))
}

async fn answer(request: Request<Incoming>, instance: &Instance, id: &str) -> Reply {
    let invocation = header(&request, "lambda-runtime-invocation-id");
    if let Ok(body) = read(request).await {
        return settle(instance, id, invocation.as_deref(), Outcome::Answer(body));
    }
    let outcome = Outcome::Error(failure::response_too_large());
    instance.complete(id, invocation.as_deref(), outcome);
    instance.condemn();
    refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &format!("an answer has at most {MAX_RESPONSE} bytes"))
}

async fn error(request: Request<Incoming>, instance: &Instance, id: &str) -> Reply {
    let invocation = header(&request, "lambda-runtime-invocation-id");
    let kind = header(&request, "lambda-runtime-function-error-type");
    let body = read(request).await.unwrap_or_default();
    let outcome = Outcome::Error(failure::reported(kind.as_deref(), body));
    settle(instance, id, invocation.as_deref(), outcome)
}

fn settle(instance: &Instance, id: &str, invocation: Option<&str>, outcome: Outcome) -> Reply {
    if instance.complete(id, invocation, outcome) {
        accepted()
    } else {
        refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "no such invocation is in flight: late, or answered before")
    }
}

async fn init_error(request: Request<Incoming>, instance: &Instance) -> Reply {
    let kind = header(&request, "lambda-runtime-function-error-type");
    let body = read(request).await.unwrap_or_default();
    instance.report_init_error(failure::reported(kind.as_deref(), body));
    instance.condemn();
    accepted()
}

fn register(instance: &Instance) -> Reply {
    let function = &instance.runner.function;
    let body = json!({
        "functionName": function.name,
        "functionVersion": "$LATEST",
        "handler": function.handler,
        "accountId": function.location.account,
    });
    let id = instance.register_extension();
    let response = Response::builder()
        .header("Content-Type", "application/json")
        .header("Lambda-Extension-Identifier", id)
        .body(Full::new(Bytes::from(body.to_string())));
    response.unwrap_or_else(|error| refuse(StatusCode::INTERNAL_SERVER_ERROR, "BadHeader", &error.to_string()))
}

/// Internal extensions may subscribe to INVOKE only, and the one that matters subscribes to nothing: its call waits until
/// the process ends. It tells the host that the extension is ready and that the process wants SIGTERM first.
async fn extension_next(request: &Request<Incoming>, instance: &Arc<Instance>) -> Reply {
    let id = header(request, "lambda-extension-identifier").unwrap_or_default();
    if instance.extension_next(&id) {
        std::future::pending().await
    } else {
        refuse(StatusCode::FORBIDDEN, "Extension.UnknownExtensionIdentifier", "register first")
    }
}

/// Before the process is ready it counts as a failed initialisation, which somebody pays for: else it would be started
/// again and again.
async fn extension_error(request: Request<Incoming>, instance: &Instance) -> Reply {
    let kind = header(&request, "lambda-extension-function-error-type");
    let body = read(request).await.unwrap_or_default();
    if !instance.is_ready() {
        instance.report_init_error(failure::reported(kind.as_deref(), body));
    }
    instance.condemn();
    accepted()
}

/// Bytes that are not UTF-8 become U+FFFD: an invocation id that cannot be read is another invocation's, not none.
fn header<B>(request: &Request<B>, name: &str) -> Option<String> {
    Some(String::from_utf8_lossy(request.headers().get(name)?.as_bytes()).into_owned())
}

/// The body does not fit, or its sender died within it.
#[derive(Debug)]
struct TooLong;

async fn read(request: Request<Incoming>) -> Result<Bytes, TooLong> {
    match Limited::new(request.into_body(), MAX_RESPONSE).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(TooLong),
        // cut off: the process is ending, and the supervisor will answer for it
        Err(_) => std::future::pending().await,
    }
}

fn accepted() -> Reply {
    reply(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.into())
}

fn refuse(status: StatusCode, kind: &str, message: &str) -> Reply {
    reply(status, json!({ "errorType": kind, "errorMessage": message }).to_string())
}

fn reply(status: StatusCode, body: String) -> Reply {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}
