//! `GET /_usher/status`: what runs, how far the sources are, what is in flight.
//!
//! Any web page can make a browser ask loopback. So the Host has to be a loopback name, which a rebound DNS name is not,
//! and a request that carries an Origin is refused.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::instances::{FunctionStats, Pool};
use crate::kafka::{self, MappingStatus};
use crate::sqs::{self, SqsStatus};

/// What the status is made of.
#[derive(Debug, Clone)]
pub(super) struct Status {
    pool: Arc<Pool>,
    kafka: Arc<Vec<kafka::Watch>>,
    sqs: Arc<Vec<sqs::Watch>>,
}

#[derive(Serialize)]
struct Picture {
    pid: u32,
    functions: Vec<FunctionStats>,
    /// Of Kafka.
    mappings: Vec<MappingStatus>,
    queues: Vec<SqsStatus>,
}

impl Status {
    pub(super) fn new(pool: Arc<Pool>, kafka: Vec<kafka::Watch>, sqs: Vec<sqs::Watch>) -> Self {
        Self { pool, kafka: Arc::new(kafka), sqs: Arc::new(sqs) }
    }

    fn picture(&self) -> Picture {
        Picture {
            pid: std::process::id(),
            functions: self.pool.stats().functions,
            mappings: self.kafka.iter().map(kafka::Watch::status).collect(),
            queues: self.sqs.iter().map(sqs::Watch::status).collect(),
        }
    }
}

/// Serves until it is aborted; connections end with it.
pub(super) async fn serve(listener: TcpListener, status: Status) {
    let mut connections = JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // out of file descriptors, most likely: spinning would not bring any back
                tracing::warn!(%error, "a connection to the status could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let status = status.clone();
        connections.spawn(async move {
            let service = service_fn(|request| {
                let response = answer(&request, &status);
                async { Ok::<_, Infallible>(response) }
            });
            // a client that goes away is nobody's trouble
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer(request: &Request<Incoming>, status: &Status) -> Response<Full<Bytes>> {
    if !is_local(request.headers()) {
        return reply(StatusCode::FORBIDDEN, r#"{"message":"only for programs on this machine: a loopback Host, no Origin"}"#);
    }
    if request.uri().path() != "/_usher/status" {
        return reply(StatusCode::NOT_FOUND, r#"{"message":"there is GET /_usher/status"}"#);
    }
    if request.method() != Method::GET {
        return reply(StatusCode::METHOD_NOT_ALLOWED, r#"{"message":"GET only"}"#);
    }
    match serde_json::to_vec(&status.picture()) {
        Ok(body) => reply(StatusCode::OK, body),
        Err(error) => reply(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn is_local(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
    matches!(name, "localhost" | "127.0.0.1" | "[::1]") && !headers.contains_key(header::ORIGIN)
}

fn reply(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), header::HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_programs_on_this_machine_are_answered() {
        for host in ["127.0.0.1:18090", "localhost", "[::1]:9", "[::1]"] {
            assert!(is_local(&headers(&[(header::HOST, host)])), "{host}");
        }
        for host in ["evil.example:18090", "127.0.0.1.evil.example", ""] {
            assert!(!is_local(&headers(&[(header::HOST, host)])), "{host}");
        }
        assert!(!is_local(&headers(&[(header::HOST, "localhost"), (header::ORIGIN, "http://evil.example")])));
    }
}
