//! A persistent connection to one server: HTTP/1.1, over TLS or not, one request at a time.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::tls;

/// A connection that was idle for longer is not reused: the server may be about to close it.
const IDLE: Duration = Duration::from_secs(30);

/// An error with its causes.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// Connects when first used, and again after the server has closed the connection.
pub(crate) struct Connection {
    server: Authority,
    /// `None`: without TLS.
    tls: Option<Arc<ClientConfig>>,
    /// The variable that holds the server's address, for error texts.
    setting: &'static str,
    kept: Option<(SendRequest<Full<Bytes>>, Instant)>,
}

impl Connection {
    /// To a server, on port 443 with TLS and 80 without, unless the authority has a port.
    /// `setting`: the variable that holds its address.
    pub(crate) const fn to(
        server: Authority,
        tls: Option<Arc<ClientConfig>>,
        setting: &'static str,
    ) -> Self {
        Self {
            server,
            tls,
            setting,
            kept: None,
        }
    }

    /// Sends a request and waits for the head of the response. The connection is reused only if the
    /// body is read to its end.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, BoxError> {
        let mut request = Request::new(Full::from(body));
        (
            *request.method_mut(),
            *request.uri_mut(),
            *request.headers_mut(),
        ) = (method, path.parse()?, headers.clone());
        request
            .headers_mut()
            .insert(HOST, self.server.as_str().parse()?);
        // Taken out, so that dropping this future drops its connection as well.
        let kept = self.kept.take().filter(|(_, used)| used.elapsed() < IDLE);
        if let Some((mut sender, _)) = kept
            && sender.ready().await.is_ok()
        {
            match sender.try_send_request(request).await {
                Ok(response) => {
                    self.kept = Some((sender, Instant::now()));
                    return Ok(response);
                }
                // The server closed the connection at the same time.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let mut sender = self.connect().await?;
        let response = sender.send_request(request).await?;
        self.kept = Some((sender, Instant::now()));
        Ok(response)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, BoxError> {
        let host = self
            .server
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let default = if self.tls.is_some() { 443 } else { 80 };
        let port = self.server.port_u16().unwrap_or(default);
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => open(stream).await,
            Some(config) => {
                open(tls::connect(config.clone(), host, stream, self.setting).await?).await
            }
        }
    }
}

async fn open<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, BoxError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Ends with its sender, which receives the errors as well.
    tokio::spawn(async { drop(connection.await) });
    Ok(sender)
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
