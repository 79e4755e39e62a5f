//! A connection lent to one caller, and its return to the pool.

use std::ops::{Deref, DerefMut};

use sqlx::{Connection, Error, Executor};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::connection::Rest;
use super::open::OpenConnection;
use super::{BoundedConnection, RETURN};

/// A connection, with or without a transaction, until dropped.
#[derive(Debug)]
pub(crate) struct PooledConnection(BoundedConnection);

impl PooledConnection {
    pub(super) fn new(connection: BoundedConnection) -> Self {
        Self(connection)
    }

    pub(super) async fn begin(&mut self) -> Result<(), Error> {
        self.0.begin().await
    }

    /// Commits. After an error without an SQLSTATE the commit may have been made.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        self.0.commit().await
    }
}

impl Deref for PooledConnection {
    type Target = BoundedConnection;

    fn deref(&self) -> &BoundedConnection {
        &self.0
    }
}

impl DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut BoundedConnection {
        &mut self.0
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        let Some((connection, rest)) = self.0.take() else {
            return;
        };
        if rest == Rest::Complete {
            connection.give_back();
        } else if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(end_and_give_back(connection, rest));
        }
        // Without a runtime nothing can be sent, so the socket closes.
    }
}

/// Ends what is under way on a connection, then returns it. Closes it if that takes longer than
/// [`RETURN`] or fails.
async fn end_and_give_back(mut open: OpenConnection, rest: Rest) {
    let connection = &mut open.session.connection;
    let ended = async {
        if rest == Rest::OpenTransaction {
            connection.execute("ROLLBACK").await?;
        } else {
            connection.ping().await?;
        }
        Ok::<(), Error>(())
    };
    if matches!(timeout(RETURN, ended).await, Ok(Ok(()))) {
        open.give_back();
    }
}
