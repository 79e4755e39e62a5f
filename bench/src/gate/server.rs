//! A Redis server that only this measurement uses, and its own figures.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use redis_link::Link;
use ticket_rush::host::free_address;

/// How long the server may take to start.
const START: Duration = Duration::from_secs(20);
/// Functions run as `fcall`, scripts as `evalsha`.
const RUNS: [&str; 2] = ["fcall", "evalsha"];

/// A server without persistence on a free port. It ends with this value.
pub(super) struct Server {
    child: Child,
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
        let port = free_address(([127, 0, 0, 1], 0).into())?.port().to_string();
        let child = Command::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .args(["--latency-tracking-info-percentiles", "50 99"])
            .arg("--dir")
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .context("redis-server does not start")?;
        let url = format!("redis://127.0.0.1:{port}");
        let link = Link::open(&url, Duration::from_secs(5))?;
        let server = Self { child, link, url };
        tokio::time::timeout(START, async {
            while server.text(&["PING"]).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .context("redis-server does not answer")?;
        Ok(server)
    }

    pub(super) async fn clear(&self) -> Result<()> {
        self.text(&["FLUSHALL", "SYNC"]).await.map(drop)
    }

    pub(super) async fn reset(&self) -> Result<()> {
        self.text(&["CONFIG", "RESETSTAT"]).await.map(drop)
    }

    /// Bytes that the data occupy, with the server's own structures.
    pub(super) async fn bytes(&self) -> Result<f64> {
        let info = self.text(&["INFO", "memory"]).await?;
        number(&info, "used_memory:").context("no used_memory")
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

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The number after a name.
fn number(text: &str, name: &str) -> Option<f64> {
    let (_, rest) = text.split_once(name)?;
    let end = rest.find([',', '\r', '\n']).unwrap_or(rest.len());
    rest[..end].parse().ok()
}
