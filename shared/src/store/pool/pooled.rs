//! A connection lent to one caller, and its return to the pool.

use std::ops::{Deref, DerefMut};

use sqlx::{Connection, Error, Executor};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::open::OpenConnection;
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
        let (Some(connection), at_rest) = self.connection.take() else {
            return;
        };
        if at_rest && !self.open {
            connection.give_back();
        } else if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(end_and_give_back(connection, self.open));
        }
        // Without a runtime nothing can be sent, so the socket closes.
    }
}

/// Ends what is under way on a connection, then returns it. Closes it if that takes longer than
/// [`RETURN`] or fails.
async fn end_and_give_back(mut open: OpenConnection, in_transaction: bool) {
    let ended = async {
        if in_transaction {
            open.connection.execute("ROLLBACK").await?;
        } else {
            open.connection.ping().await?;
        }
        Ok::<(), Error>(())
    };
    if matches!(timeout(RETURN, ended).await, Ok(Ok(()))) {
        open.give_back();
    }
}
