//! A connection lent to one caller, and its return to the pool.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::postgres::Postgres;
use sqlx::{Error, Executor};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::{BoundedConnection, RETURN};

/// A connection, with or without a transaction, until dropped.
#[derive(Debug)]
pub(crate) struct PooledConnection {
    connection: BoundedConnection,
    /// A transaction may be open.
    open: bool,
}

impl PooledConnection {
    pub(super) fn new(connection: BoundedConnection) -> Self {
        Self {
            connection,
            open: false,
        }
    }

    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        // Set first: a BEGIN whose answer is lost may have been executed.
        self.open = true;
        self.connection.execute("BEGIN").await.map(drop)
    }

    /// Commits. After an error without an SQLSTATE the commit may have been made.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        self.connection.execute("COMMIT").await?;
        self.open = false;
        Ok(())
    }
}

impl Deref for PooledConnection {
    type Target = BoundedConnection;

    fn deref(&self) -> &BoundedConnection {
        &self.connection
    }
}

impl DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut BoundedConnection {
        &mut self.connection
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        let returning = Returning(Some(connection));
        let open = self.open;
        // Without a runtime nothing can be sent, so the socket closes.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(returning.run(open));
        }
    }
}

/// A connection on its way back. If dropped early it is closed instead of left to the pool, which
/// would wait for its answers forever.
struct Returning(Option<PoolConnection<Postgres>>);

impl Returning {
    async fn run(mut self, open: bool) {
        if open {
            let Some(connection) = self.0.as_deref_mut() else {
                return;
            };
            if !matches!(
                timeout(RETURN, connection.execute("ROLLBACK")).await,
                Ok(Ok(_))
            ) {
                return;
            }
        }
        if let Some(mut connection) = self.0.take() {
            // The future owns the connection, so a timeout closes it.
            let _ = timeout(RETURN, connection.return_to_pool()).await;
        }
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        drop(self.0.take().map(PoolConnection::detach));
    }
}
