//! Redis' clock, over a connection that is made again when it is lost.
//!
//! A connection to Redis ends sooner or later: a restart, a failover, an idle timeout, an operator's `CLIENT KILL`. Or it does not
//! end, and nothing is answered on it any more. A program that keeps one `MultiplexedConnection` for its life then fails for the rest
//! of it; a `ConnectionManager` replaces one that was closed, but not one that is silent. So: keep the address, bound every wait, and
//! give a connection up after any error of the connection, timeouts included. A command that may be repeated, as reading a clock may,
//! is repeated on the next one. The delay queue's own connection (`shared::link`) replaces and repeats by itself; only a verb on which
//! nothing was answered is left to its caller, as `Unavailable`: it may have been carried out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult, cmd};
use tokio::time::sleep;

/// How long an attempt to connect, or an answer, may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Attempts to read the clock: the kept connection may be dead, and Redis may be starting.
const ATTEMPTS: u32 = 5;
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// Cheap to clone; clones share the connection.
#[derive(Clone)]
pub(crate) struct RedisClock {
    client: Client,
    kept: Arc<Mutex<Option<MultiplexedConnection>>>,
}

impl RedisClock {
    /// Connects at once, so that a Redis that is away is known at the start.
    pub(crate) async fn connect(url: &str) -> RedisResult<Self> {
        let clock = Self {
            client: Client::open(url)?,
            kept: Arc::default(),
        };
        clock.read().await?;
        Ok(clock)
    }

    /// Milliseconds since 1970, rounded down.
    pub(crate) async fn now_ms(&self) -> RedisResult<u64> {
        let mut attempt = 1;
        loop {
            match self.read().await {
                Err(error) if error.is_io_error() && attempt < ATTEMPTS => attempt += 1,
                answer => return answer,
            }
            sleep(PAUSE).await;
        }
    }

    async fn read(&self) -> RedisResult<u64> {
        let mut connection = self.connection().await?;
        let answer = cmd("TIME").query_async::<(u64, u64)>(&mut connection).await;
        if answer.as_ref().is_err_and(redis::RedisError::is_io_error) {
            self.keep(None);
        }
        let (seconds, micros) = answer?;
        Ok(seconds * 1000 + micros / 1000)
    }

    /// The kept connection, or another.
    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        let kept = self
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let made = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        self.keep(Some(made.clone()));
        Ok(made)
    }

    fn keep(&self, connection: Option<MultiplexedConnection>) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = connection;
    }
}
