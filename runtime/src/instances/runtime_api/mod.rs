//! The Lambda Runtime API (2018-06-01), and the routes of the Extensions API ([`extensions`]), on a
//! loopback listener that belongs to one process.
//!
//! `next` waits for a job; `response` and `error` answer it; `init/error` reports why the function
//! cannot start. A response is acknowledged as soon as it is read: its effects happen elsewhere.

mod call;
mod extensions;

use std::borrow::Cow;
use std::net::SocketAddr;

use http::header::HeaderName;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use self::call::{Call, accepted, json_answer, refuse};
use super::driver::{Assignment, Completion, Instance};
use super::failure::{self, MAX_RESPONSE};
use super::machine::Input;
use super::peer;
use crate::ids::new_trace_id;
use crate::invocation::{FunctionError, Outcome};
use crate::listener::budget::ConnectionBudget;
use crate::listener::{BindError, ConnectionInfo, Endpoint, Listener, ListenerPolicy, Reply};

/// Connections of one process at most, beyond one for each event that it takes at a time.
const FURTHER_CONNECTIONS: usize = 63;

// parsed once: every invocation sends them
const AWS_REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const INVOCATION_ID: HeaderName = HeaderName::from_static("lambda-runtime-invocation-id");
const DEADLINE_MS: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");
const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("lambda-runtime-client-context");

/// Opens the port of one process that takes so many events at a time. Its clients may be stopped, or
/// busy between two requests, for any time.
pub(super) async fn bind(events: usize) -> Result<Listener, BindError> {
    let listener = Listener::bind(Endpoint::loopback("Runtime API")).await?;
    Ok(listener
        .with_budget(ConnectionBudget::new(
            "Runtime API",
            events + FURTHER_CONNECTIONS,
            usize::MAX,
        ))
        .with_policy(ListenerPolicy {
            time_limits: false,
            admits: is_own_user,
            ..ListenerPolicy::default()
        }))
}

/// Serves the connections of the process until the task is dropped.
pub(super) async fn serve(listener: Listener, instance: Instance) {
    let handle = move |request, connection| {
        let instance = instance.clone();
        async move { route(request, &instance, &connection).await }
    };
    // an error means that the port was closed, which nothing does
    let _ = listener.serve_until_dropped(handle).await;
}

fn is_own_user(client: SocketAddr, server: SocketAddr) -> bool {
    let own = peer::is_same_user(client, server);
    if !own {
        tracing::warn!(%client, "refused a connection of another user to a function's Runtime API");
    }
    own
}

async fn route(
    request: Request<Incoming>,
    instance: &Instance,
    connection: &ConnectionInfo,
) -> Reply {
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let call = Call::new(request, instance, connection);
    match (&method, parts.as_slice()) {
        (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => next(instance).await,
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => {
            answer(call, id).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "error"]) => {
            error(call, id).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
            let error = reported(call).await;
            instance.apply(|id| Input::InitFailed(id, error));
            accepted()
        }
        (&Method::POST, ["2020-01-01", "extension", "register"]) => {
            extensions::register(call).await
        }
        (&Method::GET, ["2020-01-01", "extension", "event", "next"]) => {
            extensions::next(call).await
        }
        (&Method::POST, ["2020-01-01", "extension", "init", "error"]) => {
            extensions::error(call, true).await
        }
        (&Method::POST, ["2020-01-01", "extension", "exit", "error"]) => {
            extensions::error(call, false).await
        }
        _ => refuse(
            StatusCode::NOT_FOUND,
            "NotFound",
            &format!("no {method} {path} in this API"),
        ),
    }
}

async fn next(instance: &Instance) -> Reply {
    let Ok(assignment) = instance.next().await else {
        // the instance ends: any response would make the runtime exit with an error before SIGTERM
        return std::future::pending().await;
    };
    let Assignment {
        request,
        request_id,
        invocation,
        deadline_ms,
    } = assignment;
    let mut invoked = Cow::Borrowed(instance.function_arn());
    if let Some(qualifier) = request.qualifier {
        invoked.to_mut().extend([":", &qualifier]);
    }
    let trace_id = request.trace_id.unwrap_or_else(new_trace_id);
    let mut response = Response::builder()
        .header(AWS_REQUEST_ID, &*request_id)
        .header(INVOCATION_ID, &*invocation)
        .header(DEADLINE_MS, deadline_ms)
        .header(FUNCTION_ARN, &*invoked)
        .header(TRACE_ID, trace_id);
    if let Some(context) = request.client_context {
        response = response.header(CLIENT_CONTEXT, context);
    }
    json_answer(response, request.payload)
}

async fn answer(call: Call<'_>, id: &str) -> Reply {
    let (instance, invocation) = (call.instance, call.header(INVOCATION_ID));
    if let Ok(body) = call.body().await {
        return settle(instance, id, invocation.as_deref(), Outcome::Answer(body));
    }
    let outcome = Outcome::Error(failure::response_too_large());
    instance.complete(id, invocation.as_deref(), outcome);
    // other invocations of a process on managed instances go on
    if instance.function().managed.is_none() {
        instance.apply(Input::Stop);
    }
    refuse(
        StatusCode::PAYLOAD_TOO_LARGE,
        "RequestEntityTooLarge",
        &format!("an answer has at most {MAX_RESPONSE} bytes"),
    )
}

async fn error(call: Call<'_>, id: &str) -> Reply {
    let (instance, invocation) = (call.instance, call.header(INVOCATION_ID));
    let outcome = Outcome::Error(reported(call).await);
    settle(instance, id, invocation.as_deref(), outcome)
}

/// The error that a request reports.
async fn reported(call: Call<'_>) -> FunctionError {
    let kind = call.header("lambda-runtime-function-error-type");
    let body = call.body().await.unwrap_or_default();
    failure::reported(kind.as_deref(), body)
}

fn settle(instance: &Instance, id: &str, invocation: Option<&str>, outcome: Outcome) -> Reply {
    match instance.complete(id, invocation, outcome) {
        Completion::Accepted => accepted(),
        Completion::Late => refuse(StatusCode::GONE, "InvokeTimeout", "Invoke timeout"),
        Completion::Unknown => refuse(
            StatusCode::BAD_REQUEST,
            "InvalidRequestID",
            "no such invocation is in flight: late, or answered before",
        ),
    }
}
