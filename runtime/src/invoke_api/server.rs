//! Connections: bounded in number and in the time of their heads, drained at the end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::handler::Peers;
use super::{Api, handler};

/// Connections at one time; more wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 1024;
/// A request's head must have come by then; also how long an idle connection is kept.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// Serves until `shutdown` turns true, then finishes the requests in flight. Those of invocations that the pool ends are
/// answered as well.
pub async fn serve(listener: TcpListener, api: Api, mut shutdown: watch::Receiver<bool>) {
    let (api, permits) = (Arc::new(api), Arc::new(Semaphore::new(MOST_CONNECTIONS)));
    let mut connections = JoinSet::new();
    // the semaphore is never closed
    while let Ok(permit) = permits.clone().acquire_owned().await {
        let accepted = tokio::select! {
            () = ended(&mut shutdown) => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => drop(connections.spawn(connection(stream, api.clone(), shutdown.clone(), permit))),
            Err(error) => {
                // out of file descriptors, most likely: spinning would not bring any back
                tracing::warn!(%error, "a connection to the Invoke API could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, api: Arc<Api>, mut shutdown: watch::Receiver<bool>, permit: OwnedSemaphorePermit) {
    let (Ok(client), Ok(server)) = (stream.peer_addr(), stream.local_addr()) else { return };
    let peers = Peers { client: client.ip(), server: server.ip() };
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let api = api.clone();
        async move { Ok::<_, Infallible>(handler::handle(&api, request, peers).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    // a client that goes away is nobody's trouble
    let _ = tokio::select! {
        result = serving.as_mut() => result,
        () = ended(&mut shutdown) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    drop(permit);
}

/// Resolves once the host is told to stop.
async fn ended(shutdown: &mut watch::Receiver<bool>) {
    // an error means that the sender is gone, which also is an end
    let _ = shutdown.wait_for(|stop| *stop).await;
}
