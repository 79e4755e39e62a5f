//! Asks a running host to run a function.

use std::path::Path;

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::HOST_ID;
use super::beacon::{self, Place};

/// A way to the host of a project.
#[derive(Debug, Clone)]
pub struct Client(Place);

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    /// `x-amzn-requestid`
    pub request_id: String,
    /// The function's answer or error; empty for an event that was taken over.
    pub body: Bytes,
    /// The function failed.
    pub failed: bool,
    /// What the function printed last, if it was asked for.
    pub log: Option<String>,
}

/// What came of a call.
#[derive(Debug)]
pub enum Asked {
    /// The host did as it was asked.
    Answer(Answer),
    /// It refused, with this message.
    Refused(String),
    /// It is gone.
    Nobody,
    /// It went away during the call: the function may have run.
    Broken(String),
}

impl Client {
    /// The host that this state folder speaks of, whether or not it still runs.
    pub fn of(state: &Path) -> Option<Self> {
        beacon::seen(state).map(Self)
    }

    /// Calls a function, by logical id.
    pub async fn invoke(&self, function: &str, event: Bytes, asynchronous: bool, log: bool) -> Asked {
        let Ok(stream) = tokio::net::TcpStream::connect(self.0.invoke).await else { return Asked::Nobody };
        match self.exchange(stream, function, event, asynchronous, log).await {
            Ok(asked) => asked,
            Err(why) => Asked::Broken(why.to_string()),
        }
    }

    async fn exchange(
        &self,
        stream: tokio::net::TcpStream,
        function: &str,
        event: Bytes,
        asynchronous: bool,
        log: bool,
    ) -> Result<Asked, Box<dyn std::error::Error + Send + Sync>> {
        let host = stream.peer_addr()?.to_string();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::post(format!("/2015-03-31/functions/{function}/invocations"))
            .header(header::HOST, host)
            .header(HOST_ID, &self.0.id)
            .header("x-amz-invocation-type", if asynchronous { "Event" } else { "RequestResponse" })
            .header("x-amz-log-type", if log { "Tail" } else { "None" })
            .body(Full::new(event))?;
        // it has to be driven, and ends when the sender is dropped
        tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        let header = |name: &str| text(&head.headers, name);
        Ok(match head.status {
            StatusCode::MISDIRECTED_REQUEST => Asked::Nobody,
            status if status.is_success() => Asked::Answer(Answer {
                request_id: header("x-amzn-requestid").unwrap_or_default(),
                failed: header("x-amz-function-error").is_some(),
                log: header("x-amz-log-result").and_then(|log| decoded(&log)),
                body,
            }),
            status => Asked::Refused(message(&body).unwrap_or_else(|| status.to_string())),
        })
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn decoded(log: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(log).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn message(body: &[u8]) -> Option<String> {
    let answer: Value = strict_json::from_slice(body).ok()?;
    let reason = answer["Reason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
    Some(format!("{}{reason}", answer["Message"].as_str()?))
}
