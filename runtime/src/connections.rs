//! HTTP connections: accepted with a permit in hand, bounded in time and headers, drained at the end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::waiting::turned;

/// A request's head must have come by then; also how long an idle connection is kept.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// Most bytes of a request's head (the services: 10,240 in all; here with room for tools that send more).
const HEAD_BYTES: usize = 64 * 1024;

/// Between whom a connection is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peers {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
}

/// What differs between those who listen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at one time; more wait in the kernel's queue.
    pub(crate) connections: usize,
    /// How long requests in flight may take once the host drains; `None`: until they end, which something else sees to.
    pub(crate) drain: Option<Duration>,
}

/// Answers requests from an open listener until `shutdown` turns true (or its sender is gone), then lets the open requests end.
pub(crate) async fn serve<H, F>(listener: TcpListener, limits: Limits, mut shutdown: watch::Receiver<bool>, handle: H)
where
    H: Fn(Request<Incoming>, Peers) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = turned(&mut shutdown) => break,
            accepted = accept(&listener, &permits) => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        if let Some((stream, permit)) = accepted {
            connections.spawn(connection(stream, handle.clone(), shutdown.clone(), permit));
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    match limits.drain {
        None => drained.await,
        Some(drain) => {
            if tokio::time::timeout(drain, drained).await.is_err() {
                tracing::warn!("requests are still open after {} s and are given up", drain.as_secs());
            }
        }
    }
}

async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    // the semaphore is never closed, so a permit always comes
    let permit = permits.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) => {
            // out of file descriptors, or a connection that broke at once: neither mends itself faster by spinning
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

async fn connection<H, F>(stream: TcpStream, handle: H, mut shutdown: watch::Receiver<bool>, permit: OwnedSemaphorePermit)
where
    H: Fn(Request<Incoming>, Peers) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    let (Ok(client), Ok(server)) = (stream.peer_addr(), stream.local_addr()) else { return };
    // small answers must not wait for an acknowledgement of the one before
    let _ = stream.set_nodelay(true);
    let peers = Peers { client, server };
    let service = service_fn(move |request| {
        let answer = handle(request, peers);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD_BYTES);
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = turned(&mut shutdown) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, %client, "a connection ended early");
    }
    drop(permit);
}
