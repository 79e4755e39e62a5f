//! Calls functions through the Invoke API of a running host.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use base64::Engine as _;
use bytes::Bytes;
use http::{Method, Request, StatusCode, request};
use serde_json::Value;

use super::{ExchangeError, ExchangeLimits, exchange};
use crate::host_file::{Definition, HostFile};
use crate::invoke_api::HOST_ID_HEADER;
use crate::listener::header_text;
use sam_template::model::Function;

/// The function's timeout bounds the time, and the host the size of its answer.
const LIMITS: ExchangeLimits = ExchangeLimits {
    time: None,
    bytes: 256 * 1024 * 1024,
};

/// A client of the host that a state folder names.
#[derive(Debug, Clone)]
pub struct InvokeClient {
    host: HostFile,
    address: SocketAddr,
}

/// The response to an invocation.
#[derive(Debug)]
pub struct InvokeAnswer {
    /// `x-amzn-requestid`
    pub request_id: String,
    /// The function's answer or error; empty for an asynchronous invocation.
    pub body: Bytes,
    /// The function failed.
    pub failed: bool,
    /// The last lines that the function printed, if requested.
    pub log: Option<String>,
}

/// What a call of the Invoke API returned.
#[derive(Debug)]
pub enum InvokeReply {
    /// The host ran the function, or stored the event.
    Answer(InvokeAnswer),
    /// The host refused, with this message.
    Refused(String),
    /// The host does not run any more.
    Unreachable,
    /// The host ended during the call: the function may have run.
    Broken(String),
}

impl InvokeClient {
    /// The host that this state folder names, whether or not it still runs.
    pub fn of(state: &Path) -> Option<Self> {
        let host = HostFile::read(state)?;
        let mut address = host.invoke;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        Some(Self { host, address })
    }

    /// In what the host's definition of this function differs: `Timeout`, `variable TABLE`.
    pub fn differences(&self, function: &Function) -> Vec<String> {
        let expected = Definition::of(function, None, &self.host.id);
        match self.host.functions.get(&function.id) {
            Some(running) => running.differences(&expected),
            None => vec!["the function itself".to_owned()],
        }
    }

    /// The executable that the host runs for this function (logical id).
    pub fn executable(&self, function: &str) -> Option<&Path> {
        self.host.functions.get(function)?.executable.as_deref()
    }

    /// Whether the host answers: one that was killed leaves its file.
    pub async fn is_running(&self) -> bool {
        let request = self.request(Method::GET, "");
        let response = exchange(request, Bytes::new(), LIMITS).await;
        response.is_ok_and(|response| response.status() != StatusCode::MISDIRECTED_REQUEST)
    }

    /// Calls a function, by logical id.
    pub async fn invoke(
        &self,
        function: &str,
        event: Bytes,
        asynchronous: bool,
        log: bool,
    ) -> InvokeReply {
        let kind = if asynchronous {
            "Event"
        } else {
            "RequestResponse"
        };
        let request = self
            .request(Method::POST, &format!("{function}/invocations"))
            .header("x-amz-invocation-type", kind)
            .header("x-amz-log-type", if log { "Tail" } else { "None" });
        let response = exchange(request, event, LIMITS).await;
        let (head, body) = match response {
            Ok(response) => response.into_parts(),
            Err(ExchangeError::Request(error)) => return InvokeReply::Refused(error.to_string()),
            Err(ExchangeError::Connect(_)) => return InvokeReply::Unreachable,
            Err(error) => return InvokeReply::Broken(error.to_string()),
        };
        let header = |name: &str| header_text(&head.headers, name);
        match head.status {
            StatusCode::MISDIRECTED_REQUEST => InvokeReply::Unreachable,
            status if status.is_success() => InvokeReply::Answer(InvokeAnswer {
                request_id: header("x-amzn-requestid").unwrap_or_default().to_owned(),
                failed: header("x-amz-function-error").is_some(),
                log: header("x-amz-log-result").and_then(decoded),
                body,
            }),
            status => InvokeReply::Refused(message(&body).unwrap_or_else(|| status.to_string())),
        }
    }

    /// Names the run of the host that is meant: another one refuses the request.
    fn request(&self, method: Method, path: &str) -> request::Builder {
        let uri = format!("http://{}/2015-03-31/functions/{path}", self.address);
        let request = Request::builder().method(method).uri(uri);
        request.header(HOST_ID_HEADER, &self.host.id)
    }
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
