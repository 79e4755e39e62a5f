//! Calls the control port of a running host, for the command line.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header, request};
use serde_json::Value;

use super::{ExchangeLimits, exchange};
use crate::control::TOKEN_HEADER;

const LIMITS: ExchangeLimits = ExchangeLimits {
    time: Some(Duration::from_secs(10)),
    bytes: 256 * 1024 * 1024,
};

/// A client of one control port.
#[derive(Debug, Clone)]
pub struct ControlClient {
    address: SocketAddr,
}

/// What a call of the control port returned.
#[derive(Debug)]
pub enum ControlReply {
    /// The response's JSON.
    Answer(Value),
    /// The host refused, with this message.
    Refused(String),
    /// No host answers there, for this reason.
    Unreachable(String),
}

impl ControlClient {
    /// A client of the host with this control address.
    pub fn at(address: SocketAddr) -> Self {
        Self { address }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> ControlReply {
        self.call(Request::get(self.uri(path)), Bytes::new()).await
    }

    /// `POST` with the token that a change needs. `who` is shown in the log and on the page.
    pub async fn change(&self, path: &str, who: &str, body: &Value) -> ControlReply {
        let token = match self.get("/_usher/token").await {
            ControlReply::Answer(answer) => answer["token"].as_str().unwrap_or_default().to_owned(),
            other => return other,
        };
        let request = Request::post(self.uri(path))
            .header(TOKEN_HEADER, token)
            .header("x-usher-who", who)
            .header(header::CONTENT_TYPE, "application/json");
        self.call(request, body.to_string().into()).await
    }

    fn uri(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn call(&self, request: request::Builder, body: Bytes) -> ControlReply {
        let response = match exchange(request, body, LIMITS).await {
            Ok(response) => response,
            Err(error) => return ControlReply::Unreachable(error.to_string()),
        };
        let status = response.status();
        match strict_json::from_slice::<Value>(response.body()) {
            Err(error) => ControlReply::Unreachable(error.to_string()),
            Ok(answer) if status.is_success() => ControlReply::Answer(answer),
            Ok(answer) => ControlReply::Refused(
                answer["message"]
                    .as_str()
                    .map_or_else(|| status.to_string(), str::to_owned),
            ),
        }
    }
}
