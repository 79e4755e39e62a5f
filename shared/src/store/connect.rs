//! How connections are opened: lazily, at most a given number, with timeouts on both sides.

use std::time::Duration;

use super::pool::{Opener, Pool};
use super::{Database, Store, StoreError};
use crate::naming::Names;

/// Maximum silence of Postgres during a statement: slightly longer than its `statement_timeout`
/// below.
pub(crate) const LIMIT: Duration = Duration::from_secs(17);

/// Set on each new connection. With these keepalives the server notices a client that vanished, and
/// ends its transaction and its locks within half a minute.
pub const SESSION: [(&str, &str); 10] = [
    ("statement_timeout", "15s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "20s"),
    ("default_transaction_isolation", "read committed"),
    // No plan here is run often enough to pay for its compilation.
    ("jit", "off"),
    // Every condition here has its index. A plan that is made while a table is small would read all
    // of it, and is kept while a sale fills the table.
    ("enable_seqscan", "off"),
];

impl Store {
    /// Prepares a pool of at most `connections` (1 or more) to the database at `url`, with the login
    /// in it. Connects on first use. See [`Self::open`].
    pub fn connect(url: &str, names: &Names, connections: u32) -> Result<Self, StoreError> {
        Self::open(&Database::at(url), names, connections)
    }

    /// Prepares a pool of at most `connections` (1 or more). Connects on first use.
    ///
    /// Fails only if the address cannot be read. Certificates are read when a connection is opened.
    pub fn open(database: &Database, names: &Names, connections: u32) -> Result<Self, StoreError> {
        let schema = names.schema();
        let options = database.options()?.application_name(names.prefix());
        let settings = SESSION.map(|(name, value)| (name, value.to_owned()));
        let opener = Opener::new(options, database.login.clone(), &schema, settings.into());
        Ok(Self {
            pool: Pool::new(opener, connections, LIMIT),
            schema,
        })
    }

    /// The same store for a caller with less time: a connection that does not answer for `limit` is
    /// closed, and the statement fails with [`lambda_batch::ErrorClass::Unavailable`]. `limit` must
    /// exceed `lock_timeout` (5 s).
    #[must_use]
    pub fn answering_within(self, limit: Duration) -> Self {
        Self {
            pool: self.pool.within(limit),
            ..self
        }
    }

    /// Closes all connections once they are returned.
    pub async fn disconnect(&self) {
        self.pool.close().await;
    }
}
