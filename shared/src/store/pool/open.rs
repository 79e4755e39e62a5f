//! An open connection with its place in the pool.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use lambda_batch::ErrorClass;
use sqlx::Error;

use super::idle::IdleConnections;
use super::session::Session;
use super::watch::Watch;
use super::{Places, Slot};
use crate::store::connect_error::ConnectError;

/// A connection older than this is closed when it is returned: a session of Postgres keeps what it
/// has cached, and a new one follows an address that has changed.
const LIFETIME: Duration = Duration::from_mins(30);

/// A lent connection. Dropping it closes the socket and gives its place to another one.
#[derive(Debug)]
pub(super) struct OpenConnection {
    pub(super) session: Session,
    places: Arc<Places>,
    /// Released after the connection is idle or closed.
    slot: Slot,
}

impl OpenConnection {
    pub(super) fn new(session: Session, places: &Arc<Places>, slot: Slot) -> Self {
        Self {
            session,
            places: places.clone(),
            slot,
        }
    }

    /// Looks for the session of this connection.
    pub(super) fn watch(&self) -> Watch {
        Watch::new(&self.places, self.session.backend.as_ref())
    }

    /// Makes the other connections suspect: those that are idle are closed.
    pub(super) fn distrust_others(&self) {
        self.places.idle.distrust();
    }

    /// Returns a connection without statement and transaction to the pool.
    pub(super) fn give_back(self) {
        if self.session.opened.elapsed() < LIFETIME {
            IdleConnections::put(&self.places, self.session);
        } else {
            drop(self.session);
        }
        drop(self.slot);
    }
}

/// Whether the next attempt to connect may succeed: the server is not up yet (57P03), has no
/// session free (53300), closes new connections as it stops, or takes no writes yet.
pub(super) fn is_passing(error: &Error) -> bool {
    if let Some(error) = ConnectError::of_driver(error) {
        return error.class() == ErrorClass::Unavailable;
    }
    match error {
        Error::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::UnexpectedEof
        ),
        Error::Database(error) => {
            matches!(error.code().as_deref(), Some("57P01" | "57P03" | "53300"))
        }
        _ => false,
    }
}
