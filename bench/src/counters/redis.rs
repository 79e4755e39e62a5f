//! Counters of a Redis server.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

/// Commands that run a script or a function.
const SCRIPTS: [&str; 6] = [
    "eval",
    "evalsha",
    "eval_ro",
    "evalsha_ro",
    "fcall",
    "fcall_ro",
];

/// The counters of a server at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RedisCounters {
    /// Calls by command, those from scripts included.
    calls: BTreeMap<String, u64>,
    reads: u64,
    received_bytes: u64,
    sent_bytes: u64,
    /// Memory of the data set and its administration.
    pub used_bytes: u64,
}

/// What a server has done between two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RedisWork {
    /// Scripts and functions that were called.
    pub scripts: u64,
    /// Other commands: from clients and from within scripts.
    pub commands: u64,
    /// Times that the server has read from a connection, each a round trip of one request or of
    /// several that were sent together.
    pub reads: u64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
}

impl RedisCounters {
    /// Reads the counters of a server.
    pub(crate) async fn read(url: &str) -> Result<Self> {
        let client = redis::Client::open(url)?;
        let connection = client.get_multiplexed_async_connection().await;
        let mut connection = connection.with_context(|| format!("no Redis at {url}"))?;
        let mut info = redis::cmd("INFO");
        let info: String = info.arg("everything").query_async(&mut connection).await?;
        Ok(Self::parse(&info))
    }

    fn parse(info: &str) -> Self {
        let mut counters = Self::default();
        for line in info.lines() {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let number = || value.trim().parse().unwrap_or(0);
            match name {
                "total_reads_processed" => counters.reads = number(),
                "total_net_input_bytes" => counters.received_bytes = number(),
                "total_net_output_bytes" => counters.sent_bytes = number(),
                "used_memory" => counters.used_bytes = number(),
                _ => {}
            }
            // cmdstat_get:calls=21,usec=175,usec_per_call=8.33,...
            if let Some(command) = name.strip_prefix("cmdstat_")
                && let Some(calls) = value.split(',').find_map(|v| v.strip_prefix("calls="))
            {
                let calls = calls.parse().unwrap_or(0);
                counters.calls.insert(command.to_owned(), calls);
            }
        }
        counters
    }

    /// The work since an earlier reading.
    pub(crate) fn since(&self, before: &Self) -> RedisWork {
        let mut work = RedisWork {
            scripts: 0,
            commands: 0,
            reads: self.reads.saturating_sub(before.reads),
            received_bytes: self.received_bytes.saturating_sub(before.received_bytes),
            sent_bytes: self.sent_bytes.saturating_sub(before.sent_bytes),
        };
        for (command, calls) in &self.calls {
            let before = before.calls.get(command).copied().unwrap_or(0);
            let calls = calls.saturating_sub(before);
            if SCRIPTS.contains(&command.as_str()) {
                work.scripts += calls;
            } else {
                work.commands += calls;
            }
        }
        work
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_commands_are_counted_apart() {
        let before = RedisCounters::parse(
            "# Stats\r\ntotal_reads_processed:10\r\ntotal_net_input_bytes:100\r\n\
             # Commandstats\r\ncmdstat_evalsha:calls=3,usec=9\r\ncmdstat_hget:calls=5,usec=1\r\n",
        );
        let after = RedisCounters::parse(
            "total_reads_processed:14\r\ntotal_net_input_bytes:160\r\nused_memory:77\r\n\
             cmdstat_evalsha:calls=5,usec=9\r\ncmdstat_hget:calls=11,usec=1\r\n\
             cmdstat_fcall:calls=1,usec=1\r\ncmdstat_config|get:calls=2,usec=1\r\n",
        );
        assert_eq!(after.used_bytes, 77);
        let work = after.since(&before);
        assert_eq!((work.scripts, work.commands, work.reads), (3, 8, 4));
        assert_eq!((work.received_bytes, work.sent_bytes), (60, 0));
    }
}
