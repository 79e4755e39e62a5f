//! HTTP connections of every port: one accept loop, one budget, closed in time, drained at the end.
//!
//! [`places`] counts connections and bytes of request bodies, and says which connection is closed when there is no room;
//! [`target`] refuses a request whose host is unclear; [`tracked`] notices that a client takes its answer; [`body`] reads request bodies.
//!
//! A connection waits for its client while no request is being worked on: before a head is complete, between requests, within a
//! body, and while an answer is being taken. Promises: a client that makes the host wait never keeps another one out; a request
//! that is being worked on is never closed to make room; a body that a client holds back costs a bounded part of the memory.

pub(crate) mod body;
pub(crate) mod places;
mod target;
mod tracked;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use self::body::Unread;
use self::places::{Place, Places};
use self::tracked::Tracked;
use crate::descriptors::is_shortage;
use crate::waiting::turned;

/// A request's head must have come by then; also how long a connection may stay between two requests.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// A client that takes nothing of its answer for so long is given up. More than the times for heads and bodies, which have
/// answers of their own.
const STALLED: Duration = Duration::from_secs(35);
/// While the host drains, a client that makes it wait is given up after so long.
const STALLED_AT_THE_END: Duration = Duration::from_secs(5);
/// Most bytes of a request's head (the services: 10,240 in all; here with room for tools that send more).
const HEAD_BYTES: usize = 64 * 1024;
/// After a failed accept: what is short does not come back faster by trying at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The other end of a connection, and this end.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    /// When the connection was accepted.
    pub(crate) opened: Instant,
    /// The request is the connection's first.
    pub(crate) first: bool,
    place: Place,
}

impl Peers {
    /// Reads a request's body within the budget of its port: see [`body::read`].
    pub(crate) async fn body(&self, body: Incoming, most: usize) -> Result<Bytes, Unread> {
        body::read(body, most, &self.place).await
    }
}

/// What differs between ports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// How long requests in flight may take once the host drains; `None`: until they end, which something else sees to.
    pub(crate) drain: Option<Duration>,
    /// Connections that wait for their client end in time. False: clients are the host's own functions, which may be stopped or
    /// at work between two requests for as long as they like.
    pub(crate) timed: bool,
    /// Whether a connection between these ends (client, server) is served at all.
    pub(crate) admits: fn(SocketAddr, SocketAddr) -> bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            drain: None,
            timed: true,
            admits: |_, _| true,
        }
    }
}

/// Answers requests from an open listener until `shutdown` turns true (or its sender is gone), then lets the open requests end.
pub(crate) async fn serve<H, F>(
    listener: TcpListener,
    places: Places,
    rules: Rules,
    mut shutdown: watch::Receiver<bool>,
    handle: H,
) where
    H: Fn(Request<Incoming>, Peers) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            () = turned(&mut shutdown) => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, ports = places.ports(), "connections cannot be accepted; this is tried until they can");
                }
                if is_shortage(&error) {
                    places.make_room();
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        failing = false;
        let opened = Instant::now();
        let (Ok(client), Ok(server)) = (stream.peer_addr(), stream.local_addr()) else {
            continue;
        };
        if !(rules.admits)(client, server) {
            continue;
        }
        let (place, closed) = tokio::select! {
            () = turned(&mut shutdown) => break,
            taken = places.take() => taken,
        };
        let peers = Peers {
            client,
            server,
            opened,
            first: true,
            place,
        };
        connections.spawn(connection(
            stream,
            peers,
            rules.timed,
            handle.clone(),
            shutdown.clone(),
            closed,
        ));
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    match rules.drain {
        None => drained.await,
        Some(drain) => {
            if tokio::time::timeout(drain, drained).await.is_err() {
                tracing::warn!(
                    "requests are still open after {} s and are given up",
                    drain.as_secs()
                );
            }
        }
    }
}

async fn connection<H, F>(
    stream: TcpStream,
    peers: Peers,
    timed: bool,
    handle: H,
    mut shutdown: watch::Receiver<bool>,
    closed: oneshot::Receiver<()>,
) where
    H: Fn(Request<Incoming>, Peers) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    // small answers must not wait for an acknowledgement of the one before
    let _ = stream.set_nodelay(true);
    let client = peers.client;
    let place = peers.place.clone();
    let first = AtomicBool::new(true);
    let service = service_fn(move |request| {
        let peers = Peers {
            first: first.swap(false, Ordering::Relaxed),
            ..peers.clone()
        };
        let place = peers.place.clone();
        // a connection that is being closed to make room: its request is not executed, because the answer cannot be sent
        let answer = place
            .works()
            .then(|| target::settle(request).map(|request| handle(request, peers)));
        async move {
            let Some(answer) = answer else {
                return std::future::pending().await;
            };
            let answer = match answer {
                Ok(answer) => answer.await,
                Err(unclear) => unclear.answer(),
            };
            place.release();
            place.waits(Instant::now());
            Ok::<_, Infallible>(answer)
        }
    });
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES);
    if timed {
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME);
    }
    let io = Tracked::new(TokioIo::new(stream), place.clone());
    let mut serving = std::pin::pin!(builder.serve_connection(io, service));
    let mut draining = false;
    let mut closed = std::pin::pin!(closed);
    let mut stalled = std::pin::pin!(waited(&place, timed.then_some(STALLED)));
    let mut held_up = std::pin::pin!(waited(&place, timed.then_some(STALLED_AT_THE_END)));
    let result = loop {
        tokio::select! {
            result = serving.as_mut() => break result,
            // the sender stays with the place, so this is a word to close
            _ = &mut closed => return,
            () = &mut stalled => return tracing::debug!(%client, "a client took nothing of its answer; its connection is closed"),
            () = &mut held_up, if draining => return tracing::debug!(%client, "a client holds up the drain; its connection is closed"),
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

/// Resolves when the connection has waited for its client so long; `None`: never.
async fn waited(place: &Place, limit: Option<Duration>) {
    let Some(limit) = limit else {
        return std::future::pending().await;
    };
    loop {
        let left = place
            .waiting_since()
            .map_or(limit, |since| limit.saturating_sub(since.elapsed()));
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left).await;
    }
}

#[cfg(test)]
mod tests;
