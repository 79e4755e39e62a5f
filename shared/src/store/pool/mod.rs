//! The connection pool. Every wait for Postgres is bounded.
//!
//! 1. [`Pool`] lends a [`PooledConnection`]. A connection that was idle is pinged first, for at
//!    most [`PING`].
//! 2. [`BoundedConnection`] runs the statements. If Postgres is silent for longer than the limit,
//!    or its answer means that the connection is unusable (`unfit`), the connection and its socket
//!    are closed at once. A statement whose answer is lost may have been executed.
//! 3. Dropping the [`PooledConnection`] rolls back an open transaction and returns the connection
//!    to the pool within [`RETURN`], or closes it.
//!
//! A connection that is silent or unfit makes all connections that are idle at that time suspect:
//! they lead to the same server, and are closed when their turn comes. So replacing a server costs
//! each busy connection one statement, and the idle ones none.

mod connection;
mod pooled;
mod unfit;

pub(crate) use connection::BoundedConnection;
pub(crate) use pooled::PooledConnection;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{
    PgConnectOptions, PgPool, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo,
    Postgres,
};
use sqlx::{Connection, Either, Error, Execute, Executor, SqlStr};
use tokio::sync::Semaphore;

/// Maximum wait for a connection: long enough for a short queue, short enough to report an outage
/// soon.
const ACQUIRE: Duration = Duration::from_secs(3);
/// Connections that are opened at the same time. A login costs CPU time: many at once on one thread
/// would all take longer than [`ACQUIRE`], be given up, and begin again.
const OPENING: usize = 4;
/// A connection idle for longer is pinged before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// Maximum time of such a ping: the delay that a silent idle connection can cause.
const PING: Duration = Duration::from_secs(1);
/// Connections idle for longer are closed.
const IDLE: Duration = Duration::from_mins(1);
/// Maximum time of the rollback, and of the last ping, of a returned connection.
const RETURN: Duration = Duration::from_secs(2);

/// A bounded, lazy pool. Clones share the connections.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    connections: PgPool,
    opening: Arc<Semaphore>,
    /// Maximum silence of Postgres during a statement.
    limit: Duration,
    distrust: IdleDistrust,
}

impl Pool {
    /// Connects on first use. `limit`: see [`Self::within`].
    pub(super) fn new(options: PgConnectOptions, connections: u32, limit: Duration) -> Self {
        let distrust = IdleDistrust::default();
        let distrusted = distrust.clone();
        let connections = PgPoolOptions::new()
            .max_connections(connections.max(1))
            .acquire_timeout(ACQUIRE)
            .idle_timeout(IDLE)
            .test_before_acquire(false)
            .before_acquire(move |connection, meta| {
                let distrust = distrusted.clone();
                Box::pin(async move {
                    if distrust.covers(meta.idle_for) {
                        return Ok(false);
                    }
                    if meta.idle_for > TRUSTED_IDLE {
                        let pong = tokio::time::timeout(PING, connection.ping()).await;
                        pong.unwrap_or_else(|_| Err(unfit::silent(PING)))
                            .inspect_err(|_| distrust.begin())?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options);
        Self {
            connections,
            opening: Arc::new(Semaphore::new(OPENING)),
            limit,
            distrust,
        }
    }

    /// The same pool with another limit on the silence of Postgres. Must exceed the server's
    /// timeout of the statement.
    pub(crate) fn within(&self, limit: Duration) -> Self {
        Self {
            limit,
            ..self.clone()
        }
    }

    /// A connection for several statements.
    pub(super) async fn acquire(&self) -> Result<PooledConnection, Error> {
        let connection = tokio::time::timeout(ACQUIRE, self.idle_or_opened());
        let connection = connection.await.unwrap_or(Err(Error::PoolTimedOut))?;
        Ok(PooledConnection::new(BoundedConnection::new(
            connection,
            self.limit,
            self.distrust.clone(),
        )))
    }

    /// An idle connection, or a new one when fewer than [`OPENING`] are being opened.
    async fn idle_or_opened(&self) -> Result<PoolConnection<Postgres>, Error> {
        let connections = &self.connections;
        let is_full = connections.size() >= connections.options().get_max_connections();
        let _opening = if connections.num_idle() == 0 && !is_full {
            self.opening.acquire().await.ok()
        } else {
            None
        };
        connections.acquire().await
    }

    /// A connection with an open transaction. Dropping it without [`PooledConnection::commit`]
    /// rolls back.
    pub(crate) async fn begin(&self) -> Result<PooledConnection, Error> {
        let mut lease = self.acquire().await?;
        lease.begin().await?;
        Ok(lease)
    }

    /// Closes all connections once they are returned.
    pub(super) async fn close(&self) {
        self.connections.close().await;
    }
}

/// Each statement takes a connection of its own.
impl<'p> Executor<'p> for &Pool {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        let found = async move { pool.acquire().await?.collect(query).await };
        stream::once(found)
            .map_ok(|found| stream::iter(found).map(Ok))
            .try_flatten()
            .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        Box::pin(async move { pool.acquire().await?.fetch_optional(query).await })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move { pool.acquire().await?.prepare_with(sql, parameters).await })
    }
}

/// The time at which idle connections became suspect. Shared by the pool.
#[derive(Debug, Clone, Default)]
struct IdleDistrust(Arc<Mutex<Option<Instant>>>);

impl IdleDistrust {
    /// Makes all connections suspect that are idle now and stay so.
    fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a connection that has been idle for this long is suspect.
    fn covers(&self, idle_for: Duration) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|at| at.elapsed() <= idle_for)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn few_connections_are_opened_at_the_same_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let opened = Arc::new(AtomicUsize::new(0));
        let server = tokio::spawn({
            let opened = opened.clone();
            async move {
                // accepts, and never answers
                let mut connections = Vec::new();
                while let Ok((connection, _)) = listener.accept().await {
                    opened.fetch_add(1, Ordering::Relaxed);
                    connections.push(connection);
                }
            }
        });
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(port);
        let pool = Pool::new(options, 32, ACQUIRE);
        let acquired = join_all((0..32).map(|_| pool.acquire())).await;
        assert!(
            acquired
                .iter()
                .all(|one| matches!(one, Err(Error::PoolTimedOut)))
        );
        assert_eq!(opened.load(Ordering::Relaxed), OPENING);
        server.abort();
    }
}
