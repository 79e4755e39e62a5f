//! Redis' clock, over a connection that is made again when it is lost.
//!
//! A connection to Redis ends sooner or later: a restart, a failover, an idle timeout, an operator's `CLIENT KILL`. A program that
//! keeps one `MultiplexedConnection` for its life then fails for the rest of it. Keep what knows the address instead: here a
//! `ConnectionManager`, which reconnects after a command has found the connection dead. That command itself is answered with the
//! error, so one that may be repeated, as reading a clock may, is repeated. The delay queue's own connection (`shared::link`) does
//! both by itself.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisResult, cmd};

/// How long an attempt to connect, or an answer, may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Attempts to read the clock: the kept connection may be dead, and Redis may be starting.
const ATTEMPTS: u32 = 5;

/// Cheap to clone; clones share the connection.
#[derive(Clone)]
pub(crate) struct RedisClock(ConnectionManager);

impl RedisClock {
    /// Connects at once, so that a Redis that is away is known at the start.
    pub(crate) async fn connect(url: &str) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(2)
            .set_max_delay(Duration::from_millis(200));
        Ok(Self(ConnectionManager::new_with_config(Client::open(url)?, config).await?))
    }

    /// Milliseconds since 1970, rounded down.
    pub(crate) async fn now_ms(&self) -> RedisResult<u64> {
        let mut attempt = 1;
        loop {
            match cmd("TIME").query_async::<(u64, u64)>(&mut self.0.clone()).await {
                Ok((seconds, micros)) => return Ok(seconds * 1000 + micros / 1000),
                Err(error) if attempt < ATTEMPTS && error.is_io_error() => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }
}
