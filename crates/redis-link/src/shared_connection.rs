//! The connection that all calls of a link share, and its replacement.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use redis::aio::ConnectionLike;
use redis::{Pipeline, RedisResult, Value};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::access::ConnectError;
use super::connect::{Connection, Connector};

/// Minimum time between the starts of two connection attempts.
const RECONNECT_INTERVAL: Duration = Duration::from_millis(50);

/// One connection, from the attempt to make it until its replacement. Clones share both.
#[derive(Clone)]
pub(super) struct Generation {
    /// Counted from 0 within a link.
    pub(super) number: u64,
    started: Instant,
    connecting: Shared<BoxFuture<'static, Result<Connection, ConnectError>>>,
    /// A usable reply has arrived over it.
    used: Arc<AtomicBool>,
}

impl Generation {
    fn new(number: u64, started: Instant, connector: Arc<Connector>) -> Self {
        let connecting = async move {
            sleep_until(started).await;
            connector.connect().await
        };
        Self {
            number,
            started,
            connecting: connecting.boxed().shared(),
            used: Arc::default(),
        }
    }

    /// One round trip; the first caller connects. The outer error is that of the connection
    /// attempt, which all callers share.
    pub(super) async fn exchange(
        &self,
        pipeline: &Pipeline,
    ) -> Result<RedisResult<Vec<Value>>, ConnectError> {
        let mut connection = self.connecting.clone().await?;
        Ok(exchange(&mut connection, pipeline).await)
    }

    /// Records that the server gave a usable reply.
    pub(super) fn mark_used(&self) {
        self.used.store(true, Ordering::Relaxed);
    }
}

/// One round trip.
pub(super) async fn exchange(
    connection: &mut Connection,
    pipeline: &Pipeline,
) -> RedisResult<Vec<Value>> {
    let count = pipeline.len();
    let multiplexed = &mut connection.multiplexed;
    multiplexed.req_packed_commands(pipeline, 0, count).await
}

/// The current connection to one server.
pub(super) struct SharedConnection {
    pub(super) connector: Arc<Connector>,
    current: Mutex<Generation>,
    /// Counts replacements; the nodes of a cluster count together.
    changes: Arc<watch::Sender<u64>>,
    /// The server of the current connection has no functions.
    without_functions: AtomicBool,
}

impl SharedConnection {
    /// Connects on the first exchange, not here.
    pub(super) fn new(connector: Arc<Connector>, changes: Arc<watch::Sender<u64>>) -> Self {
        let first = Generation::new(0, Instant::now(), connector.clone());
        Self {
            connector,
            current: Mutex::new(first),
            changes,
            without_functions: AtomicBool::new(false),
        }
    }

    /// Whether calls must run as scripts. A new connection tries functions again.
    pub(super) fn without_functions(&self) -> bool {
        self.without_functions.load(Ordering::Relaxed)
    }

    /// Records that the server has no functions.
    pub(super) fn set_without_functions(&self) {
        if !self.without_functions.swap(true, Ordering::Relaxed) {
            tracing::info!(
                "this Redis has no functions for this user; scripts run instead, a little slower"
            );
        }
    }

    pub(super) fn current(&self) -> Generation {
        self.lock().clone()
    }

    /// Changes with each replacement.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Replaces connection `number`, unless that has been done. Round trips in flight finish on the
    /// old one, which is closed after the last of them.
    pub(super) fn replace(&self, number: u64, reason: &dyn std::fmt::Display) {
        {
            let mut current = self.lock();
            if current.number != number {
                return;
            }
            // One warning for each lost connection, not for each failed attempt to reconnect.
            if current.used.load(Ordering::Relaxed) {
                tracing::warn!(
                    %reason,
                    "the connection to Redis is closed; the next command reconnects"
                );
            } else {
                tracing::debug!(
                    %reason,
                    "the connection to Redis failed; the next command reconnects"
                );
            }
            let start = Instant::now().max(current.started + RECONNECT_INTERVAL);
            *current = Generation::new(number + 1, start, self.connector.clone());
        }
        self.without_functions.store(false, Ordering::Relaxed);
        self.changes.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Generation> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
