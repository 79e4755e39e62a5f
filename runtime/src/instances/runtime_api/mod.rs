//! The Lambda Runtime API (2018-06-01), and the routes of the Extensions API ([`extensions`]), on a
//! loopback listener that belongs to one process.
//!
//! `next` waits for a job; `response` and `error` answer it; `init/error` reports why the function
//! cannot start. A response is acknowledged as soon as it is read: its effects happen elsewhere.

mod extensions;
mod replies;

use std::net::SocketAddr;

use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use self::replies::{accepted, header, read, refuse};
use super::driver::{Assignment, Instance};
use super::environment::arn;
use super::failure::{self, MAX_RESPONSE};
use super::peer;
use crate::ids::new_trace_id;
use crate::invocation::Outcome;
use crate::listener::budget::ConnectionBudget;
use crate::listener::{BindError, ConnectionInfo, Endpoint, Listener, ListenerPolicy, Reply};

/// Connections of one process at most: one for each event that it takes at a time, and some more.
const MAX_CONNECTIONS: usize = 64;

/// Opens the port of one process. Its clients may be stopped, or busy between two requests, for any
/// time.
pub(super) async fn bind() -> Result<Listener, BindError> {
    let listener = Listener::bind(Endpoint::loopback("Runtime API")).await?;
    Ok(listener
        .with_budget(ConnectionBudget::new(
            "Runtime API",
            MAX_CONNECTIONS,
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
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (request.method(), parts.as_slice()) {
        (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => next(instance).await,
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => {
            answer(request, instance, connection, id).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "error"]) => {
            error(request, instance, connection, id).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
            init_error(request, instance, connection).await
        }
        (&Method::POST, ["2020-01-01", "extension", "register"]) => {
            extensions::register(request, instance, connection).await
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
        ) => extensions::error(request, instance, connection, phase).await,
        _ => refuse(
            StatusCode::NOT_FOUND,
            "NotFound",
            &format!("no {} {path} in this API", request.method()),
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
    let mut invoked = arn(instance.function());
    if let Some(qualifier) = request.qualifier {
        invoked.extend([":", &qualifier]);
    }
    let trace_id = request.trace_id.unwrap_or_else(new_trace_id);
    let mut response = Response::builder()
        .header("Content-Type", "application/json")
        .header("Lambda-Runtime-Aws-Request-Id", &*request_id)
        .header("Lambda-Runtime-Invocation-Id", &*invocation)
        .header("Lambda-Runtime-Deadline-Ms", deadline_ms)
        .header("Lambda-Runtime-Invoked-Function-Arn", invoked)
        .header("Lambda-Runtime-Trace-Id", trace_id);
    if let Some(context) = request.client_context {
        response = response.header("Lambda-Runtime-Client-Context", context);
    }
    let body = Full::new(request.payload);
    response.body(body).unwrap_or_else(|error| {
        refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "BadHeader",
            &error.to_string(),
        )
    })
}

async fn answer(
    request: Request<Incoming>,
    instance: &Instance,
    connection: &ConnectionInfo,
    id: &str,
) -> Reply {
    let invocation = header(request.headers(), "lambda-runtime-invocation-id");
    if let Ok(body) = read(request.into_body(), connection).await {
        return settle(instance, id, invocation.as_deref(), Outcome::Answer(body));
    }
    let outcome = Outcome::Error(failure::response_too_large());
    instance.complete(id, invocation.as_deref(), outcome);
    instance.stop();
    refuse(
        StatusCode::PAYLOAD_TOO_LARGE,
        "RequestEntityTooLarge",
        &format!("an answer has at most {MAX_RESPONSE} bytes"),
    )
}

async fn error(
    request: Request<Incoming>,
    instance: &Instance,
    connection: &ConnectionInfo,
    id: &str,
) -> Reply {
    let invocation = header(request.headers(), "lambda-runtime-invocation-id");
    let kind = header(request.headers(), "lambda-runtime-function-error-type");
    let body = read(request.into_body(), connection)
        .await
        .unwrap_or_default();
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

async fn init_error(
    request: Request<Incoming>,
    instance: &Instance,
    connection: &ConnectionInfo,
) -> Reply {
    let kind = header(request.headers(), "lambda-runtime-function-error-type");
    let body = read(request.into_body(), connection)
        .await
        .unwrap_or_default();
    instance.init_failed(failure::reported(kind.as_deref(), body));
    accepted()
}
