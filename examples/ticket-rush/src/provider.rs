//! The payment provider's side of refunds: it checks signatures, returns money once for each
//! Idempotency-Key, and writes what it returns into the client log.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::api::sign;
use crate::client_log::ClientLog;

/// Path that takes refunds.
const PATH: &str = "/refunds";
/// Maximum bytes of a request's body.
const MAX_BODY: usize = 16 * 1024;

/// A provider that takes refunds until it is dropped.
#[derive(Debug)]
pub struct RefundProvider {
    address: SocketAddr,
    _server: JoinSet<()>,
}

/// What the provider has returned: the requests, by key.
#[derive(Debug)]
struct Ledger {
    secret: String,
    log: ClientLog,
    returned: Mutex<HashMap<String, Refund>>,
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Refund {
    #[serde(rename = "refund")]
    id: String,
    payment: String,
    order: String,
    amount_cents: i64,
}

impl RefundProvider {
    /// Listens on a free port of the loopback interface. It loses its first answer: the money is
    /// returned, and the sale must ask again with the same key.
    pub async fn start(secret: &str, log: ClientLog) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.context("the provider of refunds cannot listen")?;
        let address = listener.local_addr()?;
        log.write("provider", json!({}));
        let ledger = Arc::new(Ledger {
            secret: secret.to_owned(),
            log,
            returned: Mutex::default(),
        });
        let mut server = JoinSet::new();
        server.spawn(serve(listener, ledger));
        Ok(Self {
            address,
            _server: server,
        })
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address for the parameter `RefundUrl`, of the provider or of a relay in front of it.
    pub fn url_at(port: u16) -> String {
        format!("http://127.0.0.1:{port}{PATH}")
    }
}

async fn serve(listener: TcpListener, ledger: Arc<Ledger>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let ledger = ledger.clone();
        connections.spawn(async move {
            let answer = service_fn(|request| answer(&ledger, request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), answer);
            // An error is an answer that was lost, on purpose or because the client has ended.
            drop(connection.await);
        });
        while connections.try_join_next().is_some() {}
    }
}

/// An error closes the connection without an answer.
async fn answer(ledger: &Ledger, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let (status, body) = ledger.refund(request).await?;
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::from(body.to_string()))?;
    Ok(response)
}

impl Ledger {
    async fn refund(&self, request: Request<Incoming>) -> Result<(u16, Value)> {
        if (request.method(), request.uri().path()) != (&Method::POST, PATH) {
            return Ok((404, json!({ "error": "no such route" })));
        }
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        let Ok(body) = body.map(http_body_util::Collected::to_bytes) else {
            return Ok((400, json!({ "error": "the body cannot be read" })));
        };
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let body = String::from_utf8_lossy(&body);
        let timestamp = header("x-payment-timestamp").unwrap_or_default();
        let signatures = header("x-payment-signature").unwrap_or_default();
        let expected = sign(&self.secret, timestamp, &body);
        if !signatures.split(',').any(|signature| signature == expected) {
            return Ok((401, json!({ "error": "the signature is not valid" })));
        }
        let Some(key) = header("idempotency-key") else {
            return Ok((400, json!({ "error": "there is no Idempotency-Key" })));
        };
        let Ok(refund) = serde_json::from_str::<Refund>(&body) else {
            return Ok((400, json!({ "error": "the body is no refund" })));
        };
        let mut returned = self.returned.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = returned.is_empty();
        match returned.get(key) {
            Some(before) if *before != refund => {
                return Ok((409, json!({ "error": "the key belongs to another refund" })));
            }
            Some(_) => {}
            None => {
                self.log.write(
                    "refund",
                    json!({
                        "key": key, "reference": refund.payment, "order": refund.order,
                        "amount_cents": refund.amount_cents,
                    }),
                );
                returned.insert(key.to_owned(), refund);
            }
        }
        if is_first {
            bail!("the first answer is lost");
        }
        let reference = format!("re-{}", &key[..key.len().min(12)]);
        Ok((200, json!({ "status": "refunded", "reference": reference })))
    }
}
