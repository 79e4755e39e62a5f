//! One request from its head to its response.

use bytes::Bytes;
use http::{Request, StatusCode};
use hyper::body::Incoming;
use serde_json::value::RawValue;

use super::answer::{self, ApiError};
use super::name::{NotFound, find, not_run};
use super::request::{self, InvocationType, Operation};
use super::{HOST_ID_HEADER, InvokeApi, admission};
use crate::asynchronous::{AsyncEvent, MAX_EVENT};
use crate::ids::new_id;
use crate::invocation::{self, MAX_PAYLOAD};
use crate::listener::body::BodyError;
use crate::listener::{ConnectionInfo, Reply};
use sam_template::model::qualified::{LATEST, PUBLISHED};

pub(super) async fn handle(
    api: &InvokeApi,
    request: Request<Incoming>,
    connection: ConnectionInfo,
) -> Reply {
    serve(api, request, &connection)
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
    )
    .map_err(ApiError::Refused)?;
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
    let Operation::Invoke {
        function,
        qualifier,
        kind,
        tail,
        client_context,
    } = operation
    else {
        return Ok(answer::list(&api.functions, &api.skipped, &api.location));
    };
    let (function, qualifier) =
        find(&function, qualifier.as_deref(), &api.functions).map_err(|error| match error {
            NotFound::Unknown(name) => match not_run(&name, &api.skipped) {
                Some(reason) => {
                    ApiError::NotRun(format!("function {name} is not run by this host: {reason}"))
                }
                None => ApiError::NoFunction(name),
            },
            NotFound::Contradiction => ApiError::InvalidParameter(
                "the qualifier in the function's name is not the Qualifier of the request".into(),
            ),
        })?;
    let trace_id = head
        .headers
        .get("x-amzn-trace-id")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let payload = payload(
        connection,
        body,
        if kind == InvocationType::Asynchronous {
            MAX_EVENT
        } else {
            MAX_PAYLOAD
        },
    )
    .await?;
    match kind {
        InvocationType::Dry => Ok(answer::accepted(StatusCode::NO_CONTENT, &new_id())),
        InvocationType::Asynchronous => {
            let request_id = api
                .queue
                .accept(AsyncEvent {
                    function: function.id.clone(),
                    payload,
                    trace_id,
                })
                .await?;
            Ok(answer::accepted(StatusCode::ACCEPTED, &request_id))
        }
        InvocationType::Synchronous => {
            let request = invocation::Request {
                request_id: Some(new_id()),
                trace_id,
                client_context,
                qualifier,
                ..invocation::Request::new(function.id.clone(), payload)
            };
            invoke(api, request, tail).await
        }
    }
}

/// The invocation continues when the caller disconnects, as on Lambda.
async fn invoke(
    api: &InvokeApi,
    request: invocation::Request,
    tail: bool,
) -> Result<Reply, ApiError> {
    let version = executed_version(request.qualifier.as_deref());
    let tail = request
        .request_id
        .as_deref()
        .filter(|_| tail)
        .map(|id| api.logs.tail(id));
    let invoker = api.invoker.clone();
    let running = tokio::spawn(async move { invoker.invoke(request, false).await });
    let response = running
        .await
        .map_err(|error| ApiError::Service(error.to_string()))??;
    let log = match tail {
        Some(tail) => Some(tail.text().await),
        None => None,
    };
    Ok(answer::completed(response, version, log.as_deref()))
}

/// The version behind a qualifier. There is one published version, which every alias names.
fn executed_version(qualifier: Option<&str>) -> &'static str {
    if qualifier.is_none_or(|qualifier| qualifier == LATEST) {
        LATEST
    } else {
        PUBLISHED
    }
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
    match strict_json::from_slice::<&RawValue>(&body) {
        Ok(_) => Ok(body),
        Err(error) => Err(ApiError::NotJson(error.to_string())),
    }
}
