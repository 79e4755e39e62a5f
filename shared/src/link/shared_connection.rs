//! The connection that all verbs share, and its replacement.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisResult, Value};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Between the beginnings of two attempts to connect: a server that refuses every connection is not flooded with them.
const PACE: Duration = Duration::from_millis(50);

/// One connection, from the attempt to make it until it is replaced. Clones share it, and the attempt.
#[derive(Clone)]
pub(super) struct Generation {
    number: u64,
    begun: Instant,
    connecting: Shared<BoxFuture<'static, RedisResult<MultiplexedConnection>>>,
    /// An answer has come over it.
    proven: Arc<AtomicBool>,
}

impl Generation {
    fn new(number: u64, begun: Instant, client: Client, config: AsyncConnectionConfig) -> Self {
        let connecting = async move {
            sleep_until(begun).await;
            client
                .get_multiplexed_async_connection_with_config(&config)
                .await
        };
        Self {
            number,
            begun,
            connecting: connecting.boxed().shared(),
            proven: Arc::default(),
        }
    }

    /// Which connection of its link this is, counted from 0.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// One round trip; the first user connects. The outer error is that of the attempt to connect, which all users share.
    pub(super) async fn exchange(
        &self,
        pipeline: &Pipeline,
    ) -> RedisResult<RedisResult<Vec<Value>>> {
        let mut connection = self.connecting.clone().await?;
        Ok(connection
            .req_packed_commands(pipeline, 0, pipeline.len())
            .await)
    }

    /// An answer has come that speaks for the server.
    pub(super) fn prove(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }
}

/// The latest connection of a link.
pub(super) struct SharedConnection {
    client: Client,
    config: AsyncConnectionConfig,
    latest: Mutex<Generation>,
    numbers: watch::Sender<u64>,
}

impl SharedConnection {
    /// Nothing connects before the first exchange.
    pub(super) fn new(client: Client, config: AsyncConnectionConfig) -> Self {
        let first = Generation::new(0, Instant::now(), client.clone(), config.clone());
        Self {
            client,
            config,
            latest: Mutex::new(first),
            numbers: watch::Sender::new(0),
        }
    }

    /// The connection to use now.
    pub(super) fn latest(&self) -> Generation {
        self.lock().clone()
    }

    /// Its number, and every later one as soon as the connection is replaced.
    pub(super) fn numbers(&self) -> watch::Receiver<u64> {
        self.numbers.subscribe()
    }

    /// Puts another connection in the place of this one, unless that has been done. Round trips under way end with the old one, which
    /// is closed with the last of them.
    pub(super) fn replace(&self, number: u64, reason: &dyn std::fmt::Display) {
        let next = number + 1;
        {
            let mut latest = self.lock();
            if latest.number != number {
                return;
            }
            // One line for a connection that is lost; attempts that fail after it are no news.
            if latest.proven.load(Ordering::Relaxed) {
                tracing::warn!(%reason, "the connection to Redis is given up; the next command makes another");
            } else {
                tracing::debug!(%reason, "the connection to Redis is given up again");
            }
            let begin = Instant::now().max(latest.begun + PACE);
            *latest = Generation::new(next, begin, self.client.clone(), self.config.clone());
        }
        self.numbers.send_replace(next);
    }

    fn lock(&self) -> MutexGuard<'_, Generation> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
