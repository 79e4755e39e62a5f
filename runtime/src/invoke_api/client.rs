//! Asks a running host to run a function.

use std::path::Path;

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header, request, response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::HOST_ID;
use super::beacon::{self, Place};
use super::definition::Definition;
use crate::model::Function;

/// The exchange broke off.
type Broken = Box<dyn std::error::Error + Send + Sync>;

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

    /// What of this function the host runs otherwise: `Timeout`, `variable TABLE`. Empty: it runs it so.
    pub fn differences(&self, function: &Function) -> Vec<String> {
        let wanted = Definition::of(function, None, &self.0.id);
        match self.0.functions.get(&function.id) {
            Some(running) => running.differences(&wanted),
            None => vec!["the function itself".to_owned()],
        }
    }

    /// The executable of this function (logical id) that the host runs.
    pub fn executable(&self, function: &str) -> Option<&Path> {
        self.0.functions.get(function)?.executable.as_deref()
    }

    /// Whether the host answers: a host that was killed leaves its file.
    pub async fn is_running(&self) -> bool {
        let Ok(stream) = tokio::net::TcpStream::connect(self.0.invoke).await else {
            return false;
        };
        let request = self.request(Request::get("/2015-03-31/functions/"), &stream);
        let request = request.and_then(|request| Ok(request.body(Full::default())?));
        let Ok(request) = request else { return false };
        send(stream, request)
            .await
            .is_ok_and(|(head, _)| head.status != StatusCode::MISDIRECTED_REQUEST)
    }

    /// A request that says which run of the host is meant.
    fn request(
        &self,
        request: request::Builder,
        stream: &TcpStream,
    ) -> Result<request::Builder, Broken> {
        Ok(request
            .header(header::HOST, stream.peer_addr()?.to_string())
            .header(HOST_ID, &self.0.id))
    }

    /// Calls a function, by logical id.
    pub async fn invoke(
        &self,
        function: &str,
        event: Bytes,
        asynchronous: bool,
        log: bool,
    ) -> Asked {
        let Ok(stream) = TcpStream::connect(self.0.invoke).await else {
            return Asked::Nobody;
        };
        match self
            .exchange(stream, function, event, asynchronous, log)
            .await
        {
            Ok(asked) => asked,
            Err(why) => Asked::Broken(why.to_string()),
        }
    }

    async fn exchange(
        &self,
        stream: TcpStream,
        function: &str,
        event: Bytes,
        asynchronous: bool,
        log: bool,
    ) -> Result<Asked, Broken> {
        let request = self
            .request(
                Request::post(format!("/2015-03-31/functions/{function}/invocations")),
                &stream,
            )?
            .header(
                "x-amz-invocation-type",
                if asynchronous {
                    "Event"
                } else {
                    "RequestResponse"
                },
            )
            .header("x-amz-log-type", if log { "Tail" } else { "None" })
            .body(Full::new(event))?;
        let (head, body) = send(stream, request).await?;
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

async fn send(
    stream: TcpStream,
    request: Request<Full<Bytes>>,
) -> Result<(response::Parts, Bytes), Broken> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // it has to be driven, and ends when the sender is dropped
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    Ok((head, body.collect().await?.to_bytes()))
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
    let reason = answer["Reason"]
        .as_str()
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default();
    Some(format!("{}{reason}", answer["Message"].as_str()?))
}
