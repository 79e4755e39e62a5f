//! Data and memory of the two Redis servers, and statements of the database.

use std::time::Duration;

use anyhow::{Result, ensure};
use testkit::redis::PrivateRedis;
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::Target;

/// The trigger lets a share of the statements on orders fail, as a conflict of transactions does.
const REFUSE: &str = include_str!("refuse.sql");
const ACCEPT: &str = "DROP TRIGGER IF EXISTS chaos_refuse ON chaos.orders";
const END_SESSIONS: &str =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'usher'";

impl Target {
    pub(super) async fn flush_scripts(&self) -> Result<String> {
        let gate = self.servers.gate.lock().await;
        let cache = self.servers.cache.lock().await;
        block_in_place(|| {
            for server in [&gate.primary, &*cache] {
                server.run(&["SCRIPT", "FLUSH"]);
                server.run(&["FUNCTION", "FLUSH"]);
            }
        });
        Ok("on both servers".to_owned())
    }

    pub(super) async fn flush_gate(&self) -> Result<String> {
        let gate = self.servers.gate.lock().await;
        Ok(flush(&gate.primary))
    }

    pub(super) async fn flush_cache(&self) -> Result<String> {
        let cache = self.servers.cache.lock().await;
        Ok(flush(&cache))
    }

    pub(super) async fn delete_streams(&self) -> Result<String> {
        let cache = self.servers.cache.lock().await;
        let deleted = block_in_place(|| {
            let scan = ["SCAN", "0", "TYPE", "stream", "COUNT", "100000"];
            let (_, streams): (String, Vec<String>) = cache.query(&scan);
            for stream in &streams {
                cache.run(&["DEL", stream]);
            }
            streams.len()
        });
        Ok(format!("{deleted} streams"))
    }

    pub(super) async fn out_of_memory(&self, lasts: Duration) -> Result<String> {
        let limit =
            |bytes: u64| ["CONFIG", "SET", "maxmemory", &bytes.to_string()].map(str::to_owned);
        let used = {
            let gate = self.servers.gate.lock().await;
            let used = gate.used_memory();
            run(&gate.primary, &limit(used / 2));
            used
        };
        sleep(lasts).await;
        let gate = self.servers.gate.lock().await;
        run(&gate.primary, &limit(0));
        Ok(format!(
            "{used} bytes used, half of them allowed for {lasts:?}"
        ))
    }

    pub(super) async fn serialization_failures(&self, lasts: Duration) -> Result<String> {
        self.servers.database.lock().await.run(REFUSE).await;
        sleep(lasts).await;
        self.servers.database.lock().await.run(ACCEPT).await;
        Ok(format!("for {lasts:?}"))
    }

    pub(super) async fn full_disk(&self, lasts: Duration) -> Result<String> {
        let mut database = self.servers.database.lock().await;
        ensure!(
            database.fill_disk(),
            "this process may not mount a file system: run it as root"
        );
        sleep(lasts).await;
        database.free_disk().await;
        Ok(format!("no room for {lasts:?}"))
    }

    pub(super) async fn end_sessions(&self) -> Result<String> {
        self.servers.database.lock().await.run(END_SESSIONS).await;
        Ok("all sessions of the system".to_owned())
    }
}

fn run(server: &PrivateRedis, words: &[String]) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    block_in_place(|| server.run(&words));
}

fn flush(server: &PrivateRedis) -> String {
    block_in_place(|| {
        let keys: u64 = server.query(&["DBSIZE"]);
        server.run(&["FLUSHALL"]);
        format!("{keys} keys")
    })
}
