//! A Redis server that only this measurement uses, and its own figures.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use redis_link::Link;

use crate::redis_server::{Persistence, RedisServer};

/// Functions run as `fcall`, scripts as `evalsha`.
const RUNS: [&str; 2] = ["fcall", "evalsha"];

/// A server without persistence. It ends with this value.
pub(super) struct Server {
    redis: RedisServer,
    link: Link,
    pub(super) url: String,
}

/// What the server has counted since [`Server::reset`].
pub(super) struct Counted {
    /// Calls of the scripts.
    pub(super) calls: f64,
    /// Microseconds within them.
    pub(super) us: f64,
    /// Commands that they ran.
    pub(super) commands: f64,
    /// Microseconds of one script at the median and at the 99th percentile.
    pub(super) p50: f64,
    pub(super) p99: f64,
}

impl Server {
    pub(super) async fn start(folder: &Path) -> Result<Self> {
        let redis = RedisServer::start(folder, Persistence::Off).await?;
        let server = Self {
            link: redis.link()?,
            url: redis.url(),
            redis,
        };
        let percentiles = "latency-tracking-info-percentiles";
        let setting = ["CONFIG", "SET", percentiles, "50 99"];
        server.text(&setting).await?;
        Ok(server)
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.redis.stop().await
    }

    pub(super) async fn clear(&self) -> Result<()> {
        self.text(&["FLUSHALL", "SYNC"]).await.map(drop)
    }

    pub(super) async fn reset(&self) -> Result<()> {
        self.text(&["CONFIG", "RESETSTAT"]).await.map(drop)
    }

    /// Bytes that the data occupy, with the server's own structures.
    pub(super) async fn bytes(&self) -> Result<f64> {
        Ok(self.redis.used_memory(&self.link).await? as f64)
    }

    pub(super) async fn counted(&self) -> Result<Counted> {
        let latencies = self.text(&["INFO", "latencystats"]).await?;
        let stats = self.text(&["INFO", "commandstats"]).await?;
        let mut found = HashMap::new();
        for line in stats.lines() {
            let Some((name, values)) = line
                .strip_prefix("cmdstat_")
                .and_then(|line| line.split_once(':'))
            else {
                continue;
            };
            found.insert(name, values);
        }
        let Some(run) = RUNS.into_iter().find(|run| found.contains_key(run)) else {
            bail!("no script ran");
        };
        let values = found[run];
        let inner = found.iter().filter(|(name, _)| {
            let outer = ["function|", "script|", "config|"];
            !RUNS.contains(name) && !outer.iter().any(|outer| name.starts_with(outer))
        });
        let latency = latencies
            .lines()
            .find_map(|line| line.strip_prefix(&format!("latency_percentiles_usec_{run}:")))
            .context("no latencies")?;
        Ok(Counted {
            calls: number(values, "calls=").context("no calls")?,
            us: number(values, "usec=").context("no time")?,
            commands: inner
                .filter_map(|(_, values)| number(values, "calls="))
                .sum(),
            p50: number(latency, "p50=").context("no median")?,
            p99: number(latency, "p99=").context("no percentile")?,
        })
    }

    async fn text(&self, words: &[&str]) -> Result<String> {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        Ok(self.link.read_one("bench", command).await?.word()?)
    }
}

/// The number after a name.
fn number(text: &str, name: &str) -> Option<f64> {
    let (_, rest) = text.split_once(name)?;
    let end = rest.find([',', '\r', '\n']).unwrap_or(rest.len());
    rest[..end].parse().ok()
}
