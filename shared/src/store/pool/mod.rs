//! The pool of connections, with a bound on every wait for Postgres.
//!
//! What passes through, in its order:
//!
//! 1. [`Pool`] hands out a [`PooledConnection`] on a connection: one that was idle is examined first, at most [`PING`] long;
//! 2. [`BoundedConnection`] runs the statements. Where Postgres is silent for longer than the limit, or answers that this connection is of no
//!    use (`unfit`), the connection is closed at once, its socket with it. A statement whose answer is lost may have been carried out;
//! 3. the [`PooledConnection`] ends: an open transaction is rolled back and the connection goes back to the pool, within [`RETURN`], or is closed.
//!
//! A connection that is found silent or unfit casts distrust on all that are idle at that time: they lead to the same server, and are closed
//! when their turn comes. So a server that was replaced costs each busy connection one statement, and the idle ones none.

mod connection;
mod pooled;
mod unfit;

pub(super) use connection::BoundedConnection;
pub(super) use pooled::PooledConnection;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use sqlx::postgres::{
    PgConnectOptions, PgPool, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo,
    Postgres,
};
use sqlx::{Connection, Either, Error, Execute, Executor, SqlStr};

/// How long to wait for a connection: Postgres being away is to be known soon, a short queue is to pass.
const ACQUIRE: Duration = Duration::from_secs(3);
/// A connection idle for longer is pinged before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// How long the answer to such a ping may take. Only this long can an idle connection that fell silent delay a statement.
const PING: Duration = Duration::from_secs(1);
/// Idle connections beyond the first need are given back to Postgres.
const IDLE: Duration = Duration::from_mins(1);
/// How long the rollback and the last ping of a returned connection may take.
const RETURN: Duration = Duration::from_secs(2);

/// A bounded, lazy pool. Cheap to clone; clones share the connections.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    connections: PgPool,
    /// How long Postgres may be silent during a statement.
    limit: Duration,
    distrust: IdleDistrust,
}

impl Pool {
    /// Nothing connects before the first use. `limit`: see [`Self::within`].
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
            limit,
            distrust,
        }
    }

    /// The same pool for statements during which Postgres may be silent for this long. More than the statement may take at the server.
    pub(super) fn within(&self, limit: Duration) -> Self {
        Self {
            limit,
            ..self.clone()
        }
    }

    /// A connection for several statements.
    pub(super) async fn acquire(&self) -> Result<PooledConnection, Error> {
        let connection = self.connections.acquire().await?;
        Ok(PooledConnection::new(BoundedConnection::new(
            connection,
            self.limit,
            self.distrust.clone(),
        )))
    }

    /// A connection on which a transaction is open. Dropped without [`PooledConnection::commit`], it is rolled back.
    pub(super) async fn begin(&self) -> Result<PooledConnection, Error> {
        let mut lease = self.acquire().await?;
        lease.begin().await?;
        Ok(lease)
    }

    /// Ends all connections, after those in use are given back.
    pub(super) async fn close(&self) {
        self.connections.close().await;
    }
}

/// Each statement takes a connection for itself.
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

/// Until when connections that were idle are no longer trusted. Shared by all of a pool.
#[derive(Debug, Clone, Default)]
struct IdleDistrust(Arc<Mutex<Option<Instant>>>);

impl IdleDistrust {
    /// All that are idle now, and stay so, are not to be used again.
    fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a connection that has been idle for so long is among them.
    fn covers(&self, idle_for: Duration) -> bool {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|at| at.elapsed() <= idle_for)
    }
}
