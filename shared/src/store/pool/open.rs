//! An open connection with its place in the pool.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Error};
use tokio::time::sleep;

use super::idle::{IdleConnection, IdleConnections};
use super::{ACQUIRE, Places, Slot};

/// A connection older than this is closed when it is returned: a session of Postgres keeps what it
/// has cached, and a new one follows an address that has changed.
const LIFETIME: Duration = Duration::from_mins(30);
/// First pause before another attempt to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

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
    /// Opens a connection. Tries again while the server refuses connections or is full, as one that
    /// is starting does: the caller bounds the time.
    pub(super) async fn open(places: &Arc<Places>, slot: Slot) -> Result<Self, Error> {
        let mut pause = FIRST_PAUSE;
        loop {
            match PgConnection::connect_with(&places.options).await {
                Ok(connection) => {
                    return Ok(Self {
                        connection,
                        opened: Instant::now(),
                        places: places.clone(),
                        slot,
                    });
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
            sleep(pause).await;
            pause = (pause * 2).min(ACQUIRE / 5);
        }
    }

    pub(super) fn lend(idle: IdleConnection, places: &Arc<Places>, slot: Slot) -> Self {
        Self {
            connection: idle.connection,
            opened: idle.opened,
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
fn is_passing(error: &Error) -> bool {
    match error {
        Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        Error::Database(error) => matches!(error.code().as_deref(), Some("57P03" | "53300")),
        _ => false,
    }
}
