//! Asks a running host, for the command line.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::guard::TOKEN;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A way to a host.
#[derive(Debug, Clone)]
pub struct Client {
    address: SocketAddr,
}

/// What came of a question.
#[derive(Debug)]
pub enum Asked {
    /// The answer.
    Answer(Value),
    /// The host refused, with this message.
    Refused(String),
    /// Nobody answers there, or something that is no host.
    Nobody(String),
}

impl Client {
    /// The host whose control address this is.
    pub fn at(address: SocketAddr) -> Self {
        Self { address }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Asked {
        self.ask(Method::GET, path, None, "").await
    }

    /// A change, with the token that it needs. `who` stands in the log and on the page.
    pub async fn change(&self, path: &str, who: &str, body: &Value) -> Asked {
        let token = match self.get("/_usher/token").await {
            Asked::Answer(answer) => answer["token"].as_str().unwrap_or_default().to_owned(),
            other => return other,
        };
        self.ask(Method::POST, path, Some((&token, body)), who)
            .await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        change: Option<(&str, &Value)>,
        who: &str,
    ) -> Asked {
        match tokio::time::timeout(PATIENCE, self.exchange(method, path, change, who)).await {
            Ok(Ok(asked)) => asked,
            Ok(Err(why)) => Asked::Nobody(why.to_string()),
            Err(_) => Asked::Nobody(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        change: Option<(&str, &Value)>,
        who: &str,
    ) -> Result<Asked, Box<dyn std::error::Error + Send + Sync>> {
        let stream = tokio::net::TcpStream::connect(self.address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string());
        let mut body = Bytes::new();
        if let Some((token, change)) = change {
            request = request
                .header(TOKEN, token)
                .header("x-usher-who", who)
                .header(header::CONTENT_TYPE, "application/json");
            body = Bytes::from(serde_json::to_vec(change)?);
        }
        let request = request.body(Full::new(body))?;
        // it has to be driven, and ends when the sender is dropped
        tokio::spawn(connection);
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        let answer: Value = strict_json::from_slice(&body)?;
        if status.is_success() {
            return Ok(Asked::Answer(answer));
        }
        Ok(Asked::Refused(
            answer["message"]
                .as_str()
                .map_or_else(|| status.to_string(), str::to_owned),
        ))
    }
}
