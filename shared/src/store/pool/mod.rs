//! The connection pool. Every wait for Postgres is bounded.
//!
//! 1. [`Pool`] lends a [`PooledConnection`], the one returned last (`idle`), or a new one. A
//!    connection that was idle for longer than [`TRUSTED_IDLE`] is pinged first, for at most
//!    [`PING`].
//! 2. [`BoundedConnection`] runs the statements. If Postgres is silent for longer than the limit,
//!    or its answer means that the connection is unusable (`unfit`), the connection and its socket
//!    are closed at once. Silence that will not end is found out earlier (`watch`). A statement whose
//!    answer is lost may have been executed.
//! 3. Dropping the [`PooledConnection`] returns the connection at once if its last statement has
//!    ended. Else it is returned after a rollback, or after the answers that are still to come,
//!    within [`RETURN`], or closed.
//!
//! When a connection is silent or unfit, all connections that are idle at that time are closed as
//! well, since they lead to the same server. So replacing a server costs each busy connection one
//! statement, and the idle ones at most one together.
//!
//! sqlx's own pool is not used: it awaits an answer from Postgres for every connection that is
//! returned, which doubles the round trips of single statements, and lends the connection that was
//! idle for longest, so that none is ever idle for long.

mod connection;
mod idle;
mod open;
mod pooled;
mod session;
mod unfit;
mod watch;

pub(crate) use connection::BoundedConnection;
pub(crate) use pooled::PooledConnection;
pub(crate) use session::Opener;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo, Postgres};
use sqlx::{Connection, Either, Error, Execute, Executor, SqlStr};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use idle::IdleConnections;
use open::{OpenConnection, is_passing};

/// Maximum wait for a connection: long enough for a short queue, short enough to report an outage
/// soon.
const ACQUIRE: Duration = Duration::from_secs(3);
/// Connections that are opened at the same time. A login costs CPU time: many at once on one thread
/// would all take longer than [`ACQUIRE`], be given up, and begin again.
const OPENING: usize = 4;
/// First pause before another attempt to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// A connection idle for longer is pinged before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// Maximum time of such a ping: the delay that a silent idle connection can cause.
const PING: Duration = Duration::from_secs(1);
/// Maximum time of the rollback, and of the last ping, of a returned connection.
const RETURN: Duration = Duration::from_secs(2);

/// A bounded, lazy pool. Clones share the connections.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    places: Arc<Places>,
    /// Maximum silence of Postgres during a statement.
    limit: Duration,
}

/// What the clones of a pool share.
///
/// A connection is opened only by the holder of a slot that finds no idle connection. So lent, idle
/// and opening connections together never exceed the slots.
#[derive(Debug)]
struct Places {
    opener: Opener,
    /// One permit per connection that may be lent. Closed with the pool.
    slots: Arc<Semaphore>,
    max: u32,
    opening: Semaphore,
    /// One permit: see [`watch`].
    looking: Semaphore,
    idle: IdleConnections,
}

impl Pool {
    /// Connects on first use. `limit`: see [`Self::within`].
    pub(super) fn new(opener: Opener, connections: u32, limit: Duration) -> Self {
        let max = connections.max(1);
        Self {
            places: Arc::new(Places {
                opener,
                slots: Arc::new(Semaphore::new(max as usize)),
                max,
                opening: Semaphore::new(OPENING),
                looking: Semaphore::new(1),
                idle: IdleConnections::default(),
            }),
            limit,
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
        let connection = timeout(ACQUIRE, idle_or_opened(&self.places)).await;
        let connection = connection.unwrap_or(Err(Error::PoolTimedOut))?;
        let connection = BoundedConnection::new(connection, self.limit);
        Ok(PooledConnection::new(connection))
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
        let places = &self.places;
        // Fails only if the pool is closed.
        let all = places.slots.acquire_many(places.max).await;
        places.slots.close();
        for session in places.idle.take_all() {
            let _ = timeout(RETURN, session.connection.close()).await;
        }
        drop(all);
    }
}

/// A place in the pool.
type Slot = tokio::sync::OwnedSemaphorePermit;

/// An idle connection that answers, or a new one when fewer than [`OPENING`] are being opened.
/// Tries again while the server accepts no other connection, and returns its last error shortly
/// before [`ACQUIRE`] has passed. The caller bounds the time.
async fn idle_or_opened(places: &Arc<Places>) -> Result<OpenConnection, Error> {
    let began = Instant::now();
    let slots = places.slots.clone();
    let mut slot = slots.acquire_owned().await.map_err(|_| Error::PoolClosed)?;
    slot = match idle(places, slot).await {
        Ok(connection) => return Ok(connection),
        Err(slot) => slot,
    };
    let _opening = places.opening.acquire().await;
    let mut pause = FIRST_PAUSE;
    loop {
        // One may have been returned meanwhile.
        slot = match idle(places, slot).await {
            Ok(connection) => return Ok(connection),
            Err(slot) => slot,
        };
        // On the heap, since nearly every statement does without this future.
        match Box::pin(places.opener.open()).await {
            Ok(session) => return Ok(OpenConnection::new(session, places, slot)),
            Err(error) if is_passing(&error) && began.elapsed() + pause < ACQUIRE => {}
            Err(error) => return Err(error),
        }
        sleep(pause).await;
        pause = (pause * 2).min(ACQUIRE / 5);
    }
}

/// The connection that was returned last and answers. The others before it are closed. Gives the
/// slot back if there is none.
async fn idle(places: &Arc<Places>, slot: Slot) -> Result<OpenConnection, Slot> {
    while let Some(mut idle) = places.idle.take() {
        let idle_for = idle.since.elapsed();
        if idle_for > TRUSTED_IDLE {
            let pong = timeout(PING, idle.session.connection.ping()).await;
            if !matches!(pong, Ok(Ok(()))) {
                places.idle.distrust();
                continue;
            }
        }
        return Ok(OpenConnection::new(idle.session, places, slot));
    }
    Err(slot)
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use tokio::net::TcpListener;

    use sqlx::postgres::PgConnectOptions;

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
        let opener = Opener::new(options, None, "demo", Vec::new());
        let pool = Pool::new(opener, 32, ACQUIRE);
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
