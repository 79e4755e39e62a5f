//! Connections: accepted with a permit in hand, bounded in time and headers, drained at the end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::handler::{Handler, Peers};

/// Connections at one time; more wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 4096;
/// A request's head must have come by then; also how long an idle connection is kept.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// Most bytes of a request's head (the service: 10,240 in all; here with room for tools that send more).
const HEAD_BYTES: usize = 64 * 1024;
/// How long requests in flight may take once the host drains: the longest a route may take.
const DRAIN: Duration = Duration::from_secs(30);

/// Accepts until `shutdown` turns true (or its sender is gone), then lets the open requests end.
pub(super) async fn run(listener: TcpListener, handler: Arc<Handler>, mut shutdown: watch::Receiver<bool>) {
    let permits = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = ended(&mut shutdown) => break,
            accepted = accept(&listener, &permits) => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        if let Some((stream, permit)) = accepted {
            connections.spawn(connection(stream, Arc::clone(&handler), shutdown.clone(), permit));
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        tracing::warn!("requests are still open after {} s and are given up", DRAIN.as_secs());
    }
}

async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    // The semaphore is never closed, so a permit always comes.
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) => {
            // Out of file descriptors, or a connection that broke at once: neither mends itself faster by spinning.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

async fn connection(stream: TcpStream, handler: Arc<Handler>, mut shutdown: watch::Receiver<bool>, permit: OwnedSemaphorePermit) {
    let (Ok(client), Ok(server)) = (stream.peer_addr(), stream.local_addr()) else { return };
    // Small answers must not wait for an acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let peers = Peers { client, server };
    let service = service_fn(move |request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(handler.handle(request, peers).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(HEAD_BYTES);
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = ended(&mut shutdown) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, %client, "a connection ended early");
    }
    drop(permit);
}

/// Resolves once the host is told to stop.
async fn ended(shutdown: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which also is an end.
    let _ = shutdown.wait_for(|stop| *stop).await;
}
