//! An open connection with its place in the pool.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::Error;
use sqlx::postgres::PgConnection;

use super::idle::IdleConnections;
use super::{Places, Slot};

/// A connection older than this is closed when it is returned: a session of Postgres keeps what it
/// has cached, and a new one follows an address that has changed.
const LIFETIME: Duration = Duration::from_mins(30);

/// A lent connection. Dropping it closes the socket and gives its place to another one.
#[derive(Debug)]
pub(super) struct OpenConnection {
    pub(super) connection: PgConnection,
    opened: Instant,
    places: Arc<Places>,
    /// Released after the connection is idle or closed.
    slot: Slot,
}

impl OpenConnection {
    pub(super) fn new(
        connection: PgConnection,
        opened: Instant,
        places: &Arc<Places>,
        slot: Slot,
    ) -> Self {
        Self {
            connection,
            opened,
            places: places.clone(),
            slot,
        }
    }

    /// Makes the other connections suspect: those that are idle are closed.
    pub(super) fn distrust_others(&self) {
        self.places.idle.distrust();
    }

    /// Returns a connection without statement and transaction to the pool.
    pub(super) fn give_back(self) {
        if self.opened.elapsed() < LIFETIME {
            IdleConnections::put(&self.places, self.connection, self.opened);
        } else {
            drop(self.connection);
        }
        drop(self.slot);
    }
}

/// Whether the next attempt to connect may succeed: the server is not up yet (57P03), or has no
/// session free (53300).
pub(super) fn is_passing(error: &Error) -> bool {
    match error {
        Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        Error::Database(error) => matches!(error.code().as_deref(), Some("57P03" | "53300")),
        _ => false,
    }
}
