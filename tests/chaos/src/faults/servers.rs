//! Servers that are killed or stopped.

use std::time::Duration;

use anyhow::{Result, ensure};
use sqlx::{Row, raw_sql};
use tokio::time::{Instant, sleep};

use super::Target;
use crate::place::Server;

/// Lets order-create wait in the middle of a batch: it inserts orders, then their seats.
const HOLD_SEATS: &str = "BEGIN; LOCK TABLE chaos.order_seats IN SHARE ROW EXCLUSIVE MODE";
/// Sessions that wait there.
const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
                       WHERE wait_event_type = 'Lock' AND query LIKE '%INSERT INTO order_seats%'";

/// How long a batch may take to arrive.
const CATCH: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

impl Target {
    pub(super) async fn kill_server(&self, server: Server, lasts: Duration) -> Result<String> {
        self.servers.kill(server).await;
        sleep(lasts).await;
        self.servers.start_again(server).await?;
        Ok("it answers again".to_owned())
    }

    pub(super) async fn freeze_server(&self, server: Server, lasts: Duration) -> Result<String> {
        self.servers.freeze(server).await;
        sleep(lasts).await;
        self.servers.thaw(server).await;
        Ok(format!("stopped for {lasts:?}"))
    }

    /// Holds a batch between its orders and their seats, and kills the server there.
    pub(super) async fn kill_database_in_batch(&self, lasts: Duration) -> Result<String> {
        let [mut holding, mut watching] = {
            let database = self.servers.database.lock().await;
            [database.session().await?, database.session().await?]
        };
        raw_sql(HOLD_SEATS).execute(&mut holding).await?;
        let until = Instant::now() + CATCH;
        let batches = loop {
            let row = raw_sql(WAITING).fetch_one(&mut watching).await?;
            match row.try_get::<i64, _>(0)? {
                0 => ensure!(Instant::now() < until, "no batch was stored in {CATCH:?}"),
                batches => break batches,
            }
            sleep(PAUSE).await;
        };
        self.servers.kill(Server::Database).await;
        // Only now: the end of this session would let the batches continue.
        drop(holding);
        sleep(lasts).await;
        self.servers.start_again(Server::Database).await?;
        Ok(format!("{batches} batches had orders and no seats yet"))
    }
}
