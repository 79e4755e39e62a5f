//! One accepted connection: its requests in turn, within the time limits.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};

use super::body::{self, BodyError};
use super::budget::ConnectionPermit;
use super::progress::ProgressStream;
use super::{Reply, host_header};
use crate::waiting::turned;

/// Time for a request's head, and for the pause between two requests.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// A client that takes no byte of its response for so long is disconnected. Longer than the limits
/// for heads and bodies, which end with a response.
const STALL_TIME: Duration = Duration::from_secs(35);
/// The same while the host drains.
const DRAIN_STALL_TIME: Duration = Duration::from_secs(5);
/// Bytes of a request's head at most. The services take 10,240; some tools send more.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Both ends of a connection, as a request handler sees them.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionInfo {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    /// When the connection was accepted.
    pub(crate) opened: Instant,
    /// The request is the connection's first.
    pub(crate) is_first: bool,
    pub(super) time_limits: bool,
    pub(super) permit: ConnectionPermit,
}

impl ConnectionInfo {
    /// Reads a request's body of at most `max` bytes, within the budget and time limit of the port.
    pub(crate) async fn read_body(&self, body: Incoming, max: usize) -> Result<Bytes, BodyError> {
        body::read(body, max, &self.permit, self.time_limits).await
    }
}

/// An accepted connection with its permit.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) info: ConnectionInfo,
    /// Receives the budget's order to close.
    pub(super) closed: oneshot::Receiver<()>,
}

impl Connection {
    /// Serves requests until the client closes, a limit is reached, or the drain has ended.
    pub(super) async fn serve<H, F>(self, handle: H, mut shutdown: watch::Receiver<bool>)
    where
        H: Fn(Request<Incoming>, ConnectionInfo) -> F,
        F: Future<Output = Reply>,
    {
        // small responses must not wait for an acknowledgement of the one before
        let _ = self.stream.set_nodelay(true);
        let info = self.info;
        let client = info.client;
        let time_limits = info.time_limits;
        let permit = info.permit.clone();
        let first = AtomicBool::new(true);
        let service = service_fn(move |request| {
            let info = ConnectionInfo {
                is_first: first.swap(false, Ordering::Relaxed),
                ..info.clone()
            };
            let permit = info.permit.clone();
            // no request starts on a connection that is being closed: its response could not be
            // sent
            let response = permit
                .start_request()
                .then(|| host_header::normalize(request).map(|request| handle(request, info)));
            async move {
                let response = match response {
                    None => return std::future::pending().await,
                    Some(Ok(response)) => response.await,
                    Some(Err(error)) => error.reply(),
                };
                permit.release_bytes();
                permit.wait_for_client(Instant::now());
                Ok::<_, Infallible>(response)
            }
        });
        let mut builder = http1::Builder::new();
        builder.max_buf_size(MAX_HEAD_BYTES);
        if time_limits {
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME);
        }
        let io = ProgressStream::new(TokioIo::new(self.stream), permit.clone());
        let mut serving = std::pin::pin!(builder.serve_connection(io, service));
        let mut draining = false;
        let mut closed = std::pin::pin!(self.closed);
        let mut stalled = std::pin::pin!(waited(&permit, time_limits.then_some(STALL_TIME)));
        let mut held_up = std::pin::pin!(waited(&permit, time_limits.then_some(DRAIN_STALL_TIME)));
        let result = loop {
            tokio::select! {
                result = serving.as_mut() => break result,
                // the sender lives as long as the permit: this resolves by an order to close only
                _ = &mut closed => return,
                () = &mut stalled => {
                    return tracing::debug!(%client, "closed: the client takes no response");
                }
                () = &mut held_up, if draining => {
                    return tracing::debug!(%client, "closed: the client delays the drain");
                }
                () = turned(&mut shutdown), if !draining => {
                    draining = true;
                    serving.as_mut().graceful_shutdown();
                }
            }
        };
        if let Err(error) = result {
            tracing::debug!(%error, %client, "a connection ended early");
        }
    }
}

/// Resolves when the connection has waited for its client for `limit`; `None`: never.
async fn waited(permit: &ConnectionPermit, limit: Option<Duration>) {
    let Some(limit) = limit else {
        return std::future::pending().await;
    };
    loop {
        let left = permit
            .waiting_since()
            .map_or(limit, |since| limit.saturating_sub(since.elapsed()));
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left).await;
    }
}
