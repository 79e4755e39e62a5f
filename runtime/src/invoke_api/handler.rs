//! One request from its head to its response.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde_json::value::RawValue;

use super::answer::{self, ApiError};
use super::name::{find, not_run};
use super::request::{self, InvocationType};
use super::{HOST_ID_HEADER, InvokeApi, admission};
use crate::ids::new_id;
use crate::invocation::{self, MAX_PAYLOAD};
use crate::listener::body::BodyError;
use crate::listener::{ConnectionInfo, Reply, header_text};
use crate::run_to_end::RunToEnd;
use crate::sources::asynchronous::{AsyncEvent, MAX_EVENT};
use sam_template::model::qualified::{LATEST, PUBLISHED};

pub(super) async fn handle(
    api: Arc<InvokeApi>,
    request: Request<Incoming>,
    connection: ConnectionInfo,
) -> Reply {
    serve(&api, request, &connection)
        .await
        .unwrap_or_else(|error| {
            tracing::debug!(?error, "a call of the Invoke API was refused");
            error.reply(&api.location)
        })
}

/// The body is read only once the caller is admitted.
async fn serve(
    api: &InvokeApi,
    request: Request<Incoming>,
    connection: &ConnectionInfo,
) -> Result<Reply, ApiError> {
    let (head, body) = request.into_parts();
    admission::admit(
        connection.client.ip(),
        connection.server.ip(),
        &head.headers,
        api.token.as_ref(),
    )?;
    if head
        .headers
        .get(HOST_ID_HEADER)
        .is_some_and(|id| id.as_bytes() != api.host_id.as_bytes())
    {
        return Err(ApiError::OtherHost);
    }
    let operation = request::read(
        &head.method,
        head.uri.path(),
        head.uri.query().unwrap_or(""),
        &head.headers,
    )?;
    let Some(call) = operation else {
        return Ok(answer::list(&api.functions, &api.skipped, &api.location));
    };
    let found = find(&call.function, call.qualifier.as_deref(), &api.functions);
    let (function, qualifier) = found.map_err(|error| match error {
        ApiError::NoFunction(name) => match not_run(&name, &api.skipped) {
            Some(why) => {
                ApiError::NotRun(format!("function {name} is not run by this host: {why}"))
            }
            None => ApiError::NoFunction(name),
        },
        other => other,
    })?;
    let trace_id = header_text(&head.headers, "x-amzn-trace-id").map(str::to_owned);
    let max = match call.kind {
        InvocationType::Asynchronous => MAX_EVENT,
        InvocationType::Synchronous | InvocationType::Dry => MAX_PAYLOAD,
    };
    let payload = payload(connection, body, max).await?;
    match call.kind {
        InvocationType::Dry => Ok(answer::accepted(StatusCode::NO_CONTENT, &new_id())),
        InvocationType::Asynchronous => {
            let event = AsyncEvent {
                function: function.id.clone(),
                payload,
                trace_id,
            };
            let request_id = api.queue.accept(event).await?;
            Ok(answer::accepted(StatusCode::ACCEPTED, &request_id))
        }
        InvocationType::Synchronous => {
            let request = invocation::Request {
                request_id: Some(new_id()),
                trace_id,
                client_context: call.client_context,
                qualifier,
                ..invocation::Request::new(function.id.clone(), payload)
            };
            invoke(api, request, call.tail).await
        }
    }
}

/// The invocation continues when the caller disconnects, as on Lambda.
async fn invoke(
    api: &InvokeApi,
    request: invocation::Request,
    tail: bool,
) -> Result<Reply, ApiError> {
    // there is one published version, which every alias names
    let version = match request.qualifier.as_deref() {
        None | Some(LATEST) => LATEST,
        Some(_) => PUBLISHED,
    };
    let request_id = request.request_id.as_deref().filter(|_| tail);
    let tail = request_id.map(|id| api.logs.tail(id));
    let invoker = api.invoker.clone();
    let running = RunToEnd::new(async move { invoker.invoke(request, false).await });
    let response = running
        .await
        .map_err(|error| ApiError::Service(error.to_string()))??;
    let log = match tail {
        Some(tail) => Some(tail.text().await),
        None => None,
    };
    Ok(answer::completed(response, version, log.as_deref()))
}

/// The event, which is JSON; an empty body counts as `{}`.
async fn payload(
    connection: &ConnectionInfo,
    body: Incoming,
    max: usize,
) -> Result<Bytes, ApiError> {
    let body = connection
        .read_body(body, max)
        .await
        .map_err(|unread| match unread {
            BodyError::TooLarge => ApiError::TooLarge(max),
            BodyError::NoRoom => ApiError::Throttled("CallerRateLimitExceeded", unread.to_string()),
            BodyError::Timeout | BodyError::Broken(_) => ApiError::NotJson(unread.to_string()),
        })?;
    if body.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    strict_json::from_slice::<&RawValue>(&body)
        .map_err(|error| ApiError::NotJson(error.to_string()))?;
    Ok(body)
}
