//! The database: a primary, and a synchronous standby.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use sqlx::postgres::PgConnection;
use testkit::private_postgres::PrivatePostgres;
use testkit::relay::Relay;
use testkit::wait::eventually;
use tokio::time::sleep;

use super::DATABASE;

const PAUSE: Duration = Duration::from_millis(100);

/// As scripts/lib/postgres/settings.conf, for more connections than a test's server.
const SETTINGS: &str = "max_connections = 200\nclient_connection_check_interval = 5s\n\
                        tcp_keepalives_idle = 10\ntcp_keepalives_interval = 5\n\
                        tcp_keepalives_count = 3\nlog_min_messages = panic\n\
                        min_wal_size = 32MB\nmax_wal_size = 64MB\n\
                        wal_retrieve_retry_interval = 500ms\n";

/// The two servers.
#[derive(Debug)]
pub struct Database {
    /// Takes writes.
    pub primary: PrivatePostgres,
    standby: PrivatePostgres,
    /// From the standby to the primary.
    pub replication: Arc<Relay>,
}

impl Database {
    pub(super) async fn start() -> Self {
        let primary = PrivatePostgres::on_small_disk(SETTINGS).await;
        let replication = Arc::new(Relay::start(primary.port()).await);
        Self {
            standby: standby_of(&primary, &replication).await,
            primary,
            replication,
        }
    }

    /// Kills the primary and promotes the standby, which has every commit that was acknowledged.
    /// Returns the port that clients are to be led to. [`Self::restore`] follows.
    pub async fn fail_over(&mut self) -> u16 {
        self.primary.crash();
        self.standby.promote().await;
        std::mem::swap(&mut self.primary, &mut self.standby);
        self.primary.port()
    }

    /// A new standby takes the place of the killed primary.
    pub async fn restore(&mut self) {
        self.replication.redirect(self.primary.port());
        self.standby = standby_of(&self.primary, &self.replication).await;
    }

    /// From now on the primary's disk is full. Returns false where it has none of its own.
    pub fn fill_disk(&self) -> bool {
        let Some(disk) = self.primary.disk() else {
            return false;
        };
        disk.fill().expect("the size of the disk changes");
        true
    }

    /// There is room again. A server that has ended by itself starts again.
    pub async fn free_disk(&mut self) {
        if let Some(disk) = self.primary.disk() {
            disk.free().expect("the size of the disk changes");
        }
        loop {
            if !self.primary.runs() {
                self.primary.crash();
                self.primary.start_again();
            }
            // It may end while it recovers, if it has met the full disk before.
            if self.primary.connect(DATABASE).await.is_ok() {
                return;
            }
            sleep(PAUSE).await;
        }
    }

    /// A session of the superuser in the database of the system.
    pub async fn session(&self) -> Result<PgConnection> {
        Ok(self.primary.connect(DATABASE).await?)
    }

    /// Waits until commits wait for the standby, and it has everything.
    pub async fn in_sync(&self) {
        in_sync(&self.primary).await;
    }

    /// Waits until the primary answers.
    pub async fn answers(&self) {
        self.primary.admin("SELECT 1").await;
    }

    /// Runs statements as superuser in the database of the system. They are repeated if they
    /// conflict with the system's own.
    pub async fn run(&self, sql: &'static str) {
        eventually(sql, async || {
            let mut connection = self.primary.connect(DATABASE).await.ok()?;
            sqlx::raw_sql(sql).execute(&mut connection).await.ok()
        })
        .await;
    }
}

/// A standby for which every commit waits. It was copied before commits wait, so it commits alone
/// when it is promoted.
async fn standby_of(primary: &PrivatePostgres, replication: &Relay) -> PrivatePostgres {
    let standby = primary.standby_through(replication.port()).await;
    primary
        .admin("ALTER SYSTEM SET synchronous_standby_names TO '*'")
        .await;
    primary.admin("SELECT pg_reload_conf()").await;
    in_sync(primary).await;
    standby
}

async fn in_sync(primary: &PrivatePostgres) {
    let in_sync = "SELECT 1 / count(*) FROM pg_stat_replication \
                   WHERE sync_state = 'sync' AND flush_lsn >= pg_current_wal_flush_lsn() - 8192";
    eventually("the standby has what the primary has", async || {
        let mut connection = primary.connect("postgres").await.ok()?;
        sqlx::raw_sql(in_sync).execute(&mut connection).await.ok()
    })
    .await;
}
