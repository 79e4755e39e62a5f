//! The connection pool: lazy, bounded, and never the reason that a crash elsewhere blocks somebody for hours.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};

use super::{Store, StoreError};
use crate::naming::Names;
use crate::worker::ErrorClass;

/// How long to wait for a connection: Postgres being away is to be known soon, a short queue is to pass.
const ACQUIRE: Duration = Duration::from_secs(3);
/// A connection idle for longer is asked whether it still stands before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// Idle connections beyond the first need are given back to Postgres.
const IDLE: Duration = Duration::from_mins(1);

/// Set on each connection as it starts. The server's keepalives notice a client that vanished without a word: its transaction, and the
/// locks in it, end within half a minute instead of hours.
const SESSION: [(&str, &str); 9] = [
    ("statement_timeout", "15s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "20s"),
    ("default_transaction_isolation", "read committed"),
    // Nobody reads compiled plans back often enough to pay for them here.
    ("jit", "off"),
];

impl Store {
    /// Prepares a pool of at most `connections` (1 or more); nothing connects before the first use.
    ///
    /// `url`: `postgres://user:password@host:port/database`. Fails only if the URL cannot be read.
    pub fn connect(url: &str, names: &Names, connections: u32) -> Result<Self, StoreError> {
        let schema = names.schema();
        let options: PgConnectOptions = url.parse().map_err(unreadable)?;
        let options = options
            .application_name(names.prefix())
            .options(SESSION)
            .options([("search_path", schema.as_str())])
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(connections.max(1))
            .acquire_timeout(ACQUIRE)
            .idle_timeout(IDLE)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > TRUSTED_IDLE {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options);
        Ok(Self { pool, schema })
    }

    /// Ends all connections, after those in use are given back.
    pub async fn disconnect(&self) {
        self.pool.close().await;
    }
}

/// The URL itself is not repeated: it may hold a password.
#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn unreadable(e: sqlx::Error) -> StoreError {
    StoreError {
        class: ErrorClass::Unknown,
        sqlstate: None,
        message: format!("the database URL cannot be read: {e}"),
        hint: "; DATABASE_URL must look like postgres://user:password@host:5432/database",
    }
}
