//! A collector of traces: receives OTLP over HTTP on the loopback interface.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// How it answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Behavior {
    Accept,
    Fail,
    Hang,
}

/// A span with its service.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedSpan {
    pub(crate) service: String,
    pub(crate) span: Span,
}

impl ReceivedSpan {
    /// An attribute as text.
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        text(&self.span.attributes, name)
    }
}

/// The spans of each request, or its error.
type Requests = Arc<Mutex<Vec<Result<Vec<ReceivedSpan>, String>>>>;

/// It listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) endpoint: String,
    requests: Requests,
    _listening: JoinSet<()>,
}

impl Collector {
    pub(crate) async fn start(behavior: Behavior) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let requests = Requests::default();
        let kept = requests.clone();
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let kept = kept.clone();
                connections.spawn(async move {
                    let service = service_fn(|request| answer(behavior, request, &kept));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Self {
            endpoint,
            requests,
            _listening: listening,
        })
    }

    /// Number of requests.
    pub(crate) fn requests(&self) -> usize {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Spans of a trace. Fails if any request violated the protocol.
    pub(crate) fn trace(&self, id: &[u8]) -> Result<Vec<ReceivedSpan>> {
        let requests = self
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let spans: Result<Vec<_>, _> = requests.into_iter().collect();
        let spans = spans
            .map_err(anyhow::Error::msg)
            .context("a request that is not OTLP")?;
        Ok(spans
            .into_iter()
            .flatten()
            .filter(|seen| seen.span.trace_id == id)
            .collect())
    }
}

async fn answer(
    behavior: Behavior,
    request: Request<Incoming>,
    kept: &Requests,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let read = read(request).await;
    kept.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(read);
    let mut response = Response::new(Full::default());
    match behavior {
        Behavior::Accept => {
            *response.body_mut() = ExportTraceServiceResponse::default().encode_to_vec().into();
        }
        Behavior::Fail => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
        Behavior::Hang => std::future::pending().await,
    }
    Ok(response)
}

async fn read(request: Request<Incoming>) -> Result<Vec<ReceivedSpan>, String> {
    let kind = request
        .headers()
        .get("content-type")
        .map(|kind| kind.as_bytes().to_vec());
    let received = (
        request.method().as_str().to_owned(),
        request.uri().path().to_owned(),
        kind.unwrap_or_default(),
    );
    if received
        != (
            "POST".to_owned(),
            "/v1/traces".to_owned(),
            b"application/x-protobuf".to_vec(),
        )
    {
        return Err(format!("{received:?}"));
    }
    let body = request
        .into_body()
        .collect()
        .await
        .map_err(|e| e.to_string())?
        .to_bytes();
    let export = ExportTraceServiceRequest::decode(body).map_err(|e| e.to_string())?;
    let mut seen = Vec::new();
    for resource in export.resource_spans {
        let attributes = resource.resource.unwrap_or_default().attributes;
        let service = text(&attributes, "service.name").ok_or("spans without a service")?;
        let spans = resource
            .scope_spans
            .into_iter()
            .flat_map(|scope| scope.spans);
        seen.extend(spans.map(|span| ReceivedSpan {
            service: service.clone(),
            span,
        }));
    }
    Ok(seen)
}

fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    let value = attributes
        .iter()
        .find(|attribute| attribute.key == name)?
        .value
        .clone()?
        .value?;
    match value {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}
