//! The HTTP/1.1 listener of every port: HTTP APIs, Invoke API, control port and Runtime API.
//!
//! A connection passes through these files in this order: [`budget`] limits connections and bytes
//! of request bodies, and selects the connection to close when a limit is reached; [`connection`]
//! serves one connection within its time limits; [`host_header`] rejects a request without exactly
//! one host; [`body`] reads request bodies; `reply` builds responses; [`progress`] records when
//! the client takes bytes of one.
//!
//! A connection waits for its client before a head is complete, between requests, within a body,
//! and while a response is written. Guarantees:
//!
//! - A waiting connection never keeps another client out: the one that has waited longest is
//!   closed.
//! - A connection whose request the host is working on is never closed to make room.
//! - Request bodies of stalled clients hold a bounded amount of memory.

pub(crate) mod body;
pub(crate) mod budget;
mod connection;
mod host_header;
mod progress;
mod reply;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::budget::ConnectionBudget;
use self::connection::Connection;
use crate::descriptors::is_shortage;
use crate::lock::lock;
use crate::waiting::{turned, within};

pub(crate) use connection::ConnectionInfo;
pub(crate) use host_header::{same_secret, without_port};
pub(crate) use reply::{Reply, empty_reply, header_text, json_reply, reply, set_header};

/// Pause after a failed accept: a shortage of file descriptors does not end within microseconds.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An address to listen on, with the words that an error message needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// Port 0: any free port.
    pub address: SocketAddr,
    /// What is served there: `HTTP API`.
    pub purpose: &'static str,
    /// Setting that chooses the address.
    pub setting: &'static str,
}

impl Endpoint {
    /// Any free port of 127.0.0.1.
    pub fn loopback(purpose: &'static str) -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            purpose,
            setting: "",
        }
    }
}

/// An endpoint cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {} for the {}: {source}. Another usher may be running here; else choose \
     another port ({})",
    endpoint.address, endpoint.purpose, endpoint.setting
)]
pub struct BindError {
    endpoint: Endpoint,
    /// What the system reported.
    pub source: io::Error,
}

/// [`Listener::serve`] was called after [`Listener::close`].
#[derive(Debug, thiserror::Error)]
#[error("the port {0} is closed")]
pub struct ListenerClosed(SocketAddr);

/// What differs between ports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListenerPolicy {
    /// Time for open requests once the host drains; `None`: until they end, which another component
    /// bounds.
    pub(crate) drain: Option<Duration>,
    /// Whether heads, bodies, responses and idle connections have a time limit. False: the clients
    /// are the host's own functions, which may be stopped or busy between two requests.
    pub(crate) time_limits: bool,
    /// Whether a connection between these addresses (client, server) is served at all.
    pub(crate) admits: fn(SocketAddr, SocketAddr) -> bool,
}

impl Default for ListenerPolicy {
    fn default() -> Self {
        Self {
            drain: None,
            time_limits: true,
            admits: |_, _| true,
        }
    }
}

/// An open port, which a supervised component may serve again after it has ended. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Listener {
    /// `None` once closed. An accept loop holds a reference of its own until it ends.
    socket: Arc<Mutex<Option<Arc<TcpListener>>>>,
    address: SocketAddr,
    policy: ListenerPolicy,
    budget: ConnectionBudget,
}

impl Listener {
    /// Opens the port, with a budget of its own and the default policy.
    ///
    /// # Errors
    /// The port is in use, or may not be opened by this user.
    pub async fn bind(endpoint: Endpoint) -> Result<Self, BindError> {
        let failed = |source| BindError { endpoint, source };
        let socket = TcpListener::bind(endpoint.address).await.map_err(failed)?;
        Ok(Self {
            address: socket.local_addr().map_err(failed)?,
            socket: Arc::new(Mutex::new(Some(Arc::new(socket)))),
            policy: ListenerPolicy::default(),
            budget: ConnectionBudget::default(),
        })
    }

    #[must_use]
    pub(crate) fn with_budget(self, budget: ConnectionBudget) -> Self {
        Self { budget, ..self }
    }

    #[must_use]
    pub(crate) fn with_policy(self, policy: ListenerPolicy) -> Self {
        Self { policy, ..self }
    }

    /// The address with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses new connections as soon as no accept loop is left.
    pub(crate) fn close(&self) {
        lock(&self.socket).take();
    }

    /// Answers requests until the task is dropped, which closes its connections.
    ///
    /// # Errors
    /// As [`Self::serve`].
    pub(crate) async fn serve_until_dropped<H, F>(&self, handle: H) -> Result<(), ListenerClosed>
    where
        H: Fn(Request<Incoming>, ConnectionInfo) -> F + Clone + Send + 'static,
        F: Future<Output = Reply> + Send + 'static,
    {
        let (_sender, never) = watch::channel(false);
        self.serve(never, handle).await
    }

    /// Answers requests until `shutdown` turns true or its sender is dropped, then waits for the
    /// open requests.
    ///
    /// # Errors
    /// The port was closed before.
    pub(crate) async fn serve<H, F>(
        &self,
        mut shutdown: watch::Receiver<bool>,
        handle: H,
    ) -> Result<(), ListenerClosed>
    where
        H: Fn(Request<Incoming>, ConnectionInfo) -> F + Clone + Send + 'static,
        F: Future<Output = Reply> + Send + 'static,
    {
        let socket = lock(&self.socket)
            .clone()
            .ok_or(ListenerClosed(self.address))?;
        let mut connections = JoinSet::new();
        let mut failing = false;
        loop {
            let accepted = tokio::select! {
                () = turned(&mut shutdown) => break,
                accepted = socket.accept() => accepted,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    self.accept_failed(&error, &mut failing).await;
                    continue;
                }
            };
            failing = false;
            let connection = tokio::select! {
                () = turned(&mut shutdown) => break,
                admitted = self.admit(stream) => admitted,
            };
            if let Some(connection) = connection {
                connections.spawn(connection.serve(handle.clone(), shutdown.clone()));
            }
        }
        drop(socket);
        self.drain(connections).await;
        Ok(())
    }

    async fn accept_failed(&self, error: &io::Error, failing: &mut bool) {
        if !std::mem::replace(failing, true) {
            tracing::warn!(
                %error,
                ports = self.budget.ports(),
                "cannot accept connections; the host tries again until it can"
            );
        }
        if is_shortage(error) {
            self.budget.make_room();
        }
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }

    /// Takes a permit for an accepted connection. `None`: the policy excludes it, or it is gone.
    async fn admit(&self, stream: TcpStream) -> Option<Connection> {
        let client = stream.peer_addr().ok()?;
        let server = stream.local_addr().ok()?;
        if !(self.policy.admits)(client, server) {
            return None;
        }
        let opened = std::time::Instant::now();
        let (permit, closed) = self.budget.acquire().await;
        Some(Connection {
            stream,
            info: ConnectionInfo {
                client,
                server,
                opened,
                is_first: true,
                time_limits: self.policy.time_limits,
                permit,
            },
            closed,
        })
    }

    async fn drain(&self, mut connections: JoinSet<()>) {
        let drained = async { while connections.join_next().await.is_some() {} };
        if within(self.policy.drain, drained).await.is_none() {
            tracing::warn!(
                "requests are still open after {} s of draining and are dropped",
                self.policy.drain.unwrap_or_default().as_secs()
            );
        }
    }
}

#[cfg(test)]
mod tests;
