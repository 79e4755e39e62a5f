//! How connections are opened: lazily, at most a given number, with timeouts on both sides.

use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::pool::Pool;
use super::{Store, StoreError};
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
    /// Prepares a pool of at most `connections` (1 or more). Connects on first use.
    ///
    /// `url` is `postgres://user:password@host:port/database`. Fails only if the URL cannot be
    /// parsed, or requires TLS.
    pub fn connect(url: &str, names: &Names, connections: u32) -> Result<Self, StoreError> {
        let schema = names.schema();
        let options: PgConnectOptions = url.parse().map_err(unreadable)?;
        if matches!(
            options.get_ssl_mode(),
            PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull
        ) {
            return Err(StoreError {
                hint: "; leave sslmode out, and give the address of a TLS tunnel if need be",
                ..StoreError::unknown(
                    "the database URL, or PGSSLMODE, requires TLS (sslmode), which is not built in",
                )
            });
        }
        let options = options
            .application_name(names.prefix())
            .options(SESSION)
            .options([("search_path", schema.as_str())])
            .disable_statement_logging();
        Ok(Self {
            pool: Pool::new(options, connections, LIMIT),
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

/// The URL itself is not repeated, because it may contain a password.
#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn unreadable(e: sqlx::Error) -> StoreError {
    StoreError {
        hint: "; DATABASE_URL must look like postgres://user:password@host:5432/database",
        ..StoreError::unknown(format!("the database URL cannot be read: {e}"))
    }
}
