//! The connection pool: lazy, bounded, and never the reason that a crash elsewhere blocks somebody for hours.

use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::pool::Pool;
use super::{Store, StoreError};
use crate::naming::Names;
use lambda_batch::ErrorClass;

/// How long Postgres may be silent during a statement: somewhat longer than it may work on one (`statement_timeout` below).
pub(super) const LIMIT: Duration = Duration::from_secs(17);

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
    /// `url`: `postgres://user:password@host:port/database`. Fails only if the URL cannot be read, or asks for TLS.
    pub fn connect(url: &str, names: &Names, connections: u32) -> Result<Self, StoreError> {
        let schema = names.schema();
        let options: PgConnectOptions = url.parse().map_err(unreadable)?;
        if matches!(
            options.get_ssl_mode(),
            PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull
        ) {
            let message =
                "the database URL, or PGSSLMODE, asks for TLS (sslmode), which is not built in"
                    .to_owned();
            let hint = "; leave sslmode out, and give the address of a TLS tunnel if need be";
            return Err(StoreError {
                class: ErrorClass::Unknown,
                sqlstate: None,
                message,
                hint,
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

    /// The same store for a caller that cannot wait as long as Postgres may work: a connection on which nothing is answered for `limit`
    /// is closed, and the statement is answered with [`ErrorClass::Unavailable`]. More than `lock_timeout`, which is 5 s.
    #[must_use]
    pub fn answering_within(self, limit: Duration) -> Self {
        Self {
            pool: self.pool.within(limit),
            ..self
        }
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
