//! One request from its head to its response.

use std::sync::Arc;

use bytes::Bytes;
use embedded_sqs::{ApiError, ErrorKind, MAX_REQUEST, Request};
use http::{HeaderMap, Method, StatusCode, header};
use hyper::body::Incoming;
use sam_template::project::is_this_machine;

use super::service::Service;
use crate::ids::new_id;
use crate::listener::body::BodyError;
use crate::listener::{ConnectionInfo, Reply, header_text, reply, set_header, without_port};

/// Media type of the AWS JSON protocol.
const JSON: &str = "application/x-amz-json-1.0";

/// Names the action.
const TARGET: &str = "x-amz-target";

pub(super) async fn handle(
    service: Arc<Service>,
    request: http::Request<Incoming>,
    connection: ConnectionInfo,
) -> Reply {
    let mut answer = match serve(&service, request, &connection).await {
        Ok(body) => reply(StatusCode::OK, JSON, body),
        Err(error) => {
            tracing::debug!(%error, "a call of the embedded queues was refused");
            let status = StatusCode::from_u16(error.kind.status());
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut answer = reply(status, JSON, error.to_json());
            set_header(&mut answer, "x-amzn-query-error", &error.query_header());
            answer
        }
    };
    set_header(&mut answer, "x-amzn-requestid", &new_id());
    answer
}

async fn serve(
    service: &Service,
    request: http::Request<Incoming>,
    connection: &ConnectionInfo,
) -> Result<Vec<u8>, ApiError> {
    let (head, body) = request.into_parts();
    if !is_local(&head.headers) {
        let message =
            "the embedded queues serve programs of this machine, and no page of a browser";
        return Err(ApiError::new(ErrorKind::UnsupportedOperation, message));
    }
    let target = header_text(&head.headers, TARGET).filter(|_| head.method == Method::POST);
    let target = target.ok_or_else(|| {
        let message = "the embedded queues speak the AWS JSON protocol: POST with the header \
            X-Amz-Target, as AWS SDKs and the AWS command line send since the end of 2023. Update \
            the client";
        ApiError::new(ErrorKind::UnknownOperation, message)
    })?;
    let body = read_body(body, connection).await?;
    let request = Request::parse(target, &body)?;
    drop(body);
    Ok(service.call(&request).await?.to_json())
}

async fn read_body(body: Incoming, connection: &ConnectionInfo) -> Result<Bytes, ApiError> {
    let read = connection.read_body(body, MAX_REQUEST).await;
    read.map_err(|unread| {
        let kind = match unread {
            BodyError::NoRoom => ErrorKind::InternalError,
            BodyError::TooLarge | BodyError::Timeout | BodyError::Broken(_) => {
                ErrorKind::Serialization
            }
        };
        ApiError::new(kind, format!("the body of the request: {unread}"))
    })
}

/// The request comes from a program on this machine: a page has an Origin, and a rebound DNS name
/// is not local.
fn is_local(headers: &HeaderMap) -> bool {
    let host = header_text(headers, "host").unwrap_or_default();
    is_this_machine(without_port(host)) && !headers.contains_key(header::ORIGIN)
}
