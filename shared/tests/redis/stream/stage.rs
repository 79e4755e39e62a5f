//! What every test of streams stands on: a stream under a prefix of its own, and a look at the raw keys.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, cmd};
use redis_link::Link;
use redis_streams::{
    Bounds, BroadcastReader, Delivery, EntryId, GroupReader, GroupSettings, Published, Publisher,
    Received,
};
use shared::naming::Names;

use crate::stage::shared_url;

pub(crate) const STREAM: &str = "things";
pub(crate) const GROUP: &str = "workers";

pub(crate) struct Streams {
    pub(crate) names: Names,
    pub(crate) link: Link,
    url: String,
}

impl Streams {
    /// On the shared server.
    pub(crate) fn open() -> Self {
        Self::at(&shared_url())
    }

    pub(crate) fn at(url: &str) -> Self {
        let names =
            Names::new(&format!("t{:012x}", rand::random::<u64>() >> 16)).expect("a valid prefix");
        let link = Link::open(url, Duration::from_secs(5)).expect("a usable address");
        Self {
            names,
            link,
            url: url.to_owned(),
        }
    }

    pub(crate) fn key(&self) -> String {
        self.names.stream(STREAM)
    }

    pub(crate) fn dead_key(&self) -> String {
        self.names.dead_stream(STREAM)
    }

    pub(crate) fn group_name(&self) -> String {
        self.names.group(GROUP)
    }

    pub(crate) fn publisher(&self, keep: u64, most: u64) -> Publisher {
        Publisher::new(
            self.link.clone(),
            &self.key(),
            Bounds::new(keep, most).expect("valid"),
        )
    }

    /// Adds entries with field `n` from `from` on, in bounds that nothing here reaches.
    pub(crate) async fn publish(&self, numbers: std::ops::Range<u32>) -> Vec<EntryId> {
        let publisher = self.publisher(100_000, 1_000_000);
        let mut ids = Vec::new();
        for n in numbers {
            match publisher.publish(&[("n", &n.to_string())]).await {
                Ok(Published::At(id)) => ids.push(id),
                other => panic!("not published: {other:?}"),
            }
        }
        ids
    }

    pub(crate) async fn listener(&self) -> BroadcastReader {
        BroadcastReader::open(self.link.clone(), &self.key())
            .await
            .expect("Redis runs")
    }

    pub(crate) fn consumer(&self, name: &str) -> GroupReader {
        self.consumer_with(name, settings())
    }

    pub(crate) fn consumer_with(&self, name: &str, settings: GroupSettings) -> GroupReader {
        GroupReader::open(
            self.link.clone(),
            &self.key(),
            &self.group_name(),
            name,
            settings,
        )
    }

    pub(crate) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        command
            .query_async(&mut self.raw().await)
            .await
            .unwrap_or_else(|e| panic!("{words:?}: {e}"))
    }

    async fn raw(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url.as_str()).expect("a usable address");
        let raw = client.get_multiplexed_async_connection().await;
        raw.unwrap_or_else(|e| {
            panic!(
                "no Redis at {} ({e}): run `scripts/servers start redis`",
                self.url
            )
        })
    }

    pub(crate) async fn length(&self) -> u64 {
        self.ask(&["XLEN", &self.key()]).await
    }

    /// Entries that the group has given out and nobody acknowledged.
    pub(crate) async fn pending(&self) -> u64 {
        self.consumer("looks only")
            .state()
            .await
            .expect("Redis runs")
            .pending
    }

    /// Names of the group's consumers.
    pub(crate) async fn consumers(&self) -> Vec<String> {
        let infos: Vec<std::collections::HashMap<String, redis::Value>> = self
            .ask(&["XINFO", "CONSUMERS", &self.key(), &self.group_name()])
            .await;
        let name = |info: &std::collections::HashMap<String, redis::Value>| {
            String::from_redis_value(info["name"].clone())
        };
        let mut names: Vec<String> = infos
            .iter()
            .map(|info| name(info).expect("a name"))
            .collect();
        names.sort();
        names
    }

    /// Entries set aside: their fields.
    pub(crate) async fn dead(&self) -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
        let entries: Vec<(String, Vec<Vec<u8>>)> =
            self.ask(&["XRANGE", &self.dead_key(), "-", "+"]).await;
        let fields = |words: Vec<Vec<u8>>| {
            words
                .chunks(2)
                .map(|pair| (pair[0].clone(), pair[1].clone()))
                .collect()
        };
        entries
            .into_iter()
            .map(|(_, words)| fields(words))
            .collect()
    }
}

impl Drop for Streams {
    /// Leaves nothing behind on the shared server. On a private one nothing needs to be left.
    fn drop(&mut self) {
        if self.url != shared_url() {
            return;
        }
        let cleaned = redis::Client::open(self.url.as_str())
            .and_then(|client| client.get_connection())
            .and_then(|mut redis| {
                cmd("DEL")
                    .arg(self.key())
                    .arg(self.dead_key())
                    .exec(&mut redis)
            });
        if let Err(error) = cleaned {
            eprintln!("keys of {} are left behind: {error}", self.names);
        }
    }
}

/// Short idle times: what is waited for in tests comes soon, and nothing is asserted on how soon.
pub(crate) fn settings() -> GroupSettings {
    GroupSettings {
        batch: 10,
        block: Duration::from_millis(200),
        idle: Duration::from_millis(100),
        max_deliveries: 3,
        forget: Duration::from_secs(60),
        ordered: false,
    }
}

/// One read, whatever it brings.
pub(crate) async fn read(reader: &mut GroupReader) -> Vec<Delivery> {
    reader
        .read(Duration::from_millis(50))
        .await
        .expect("Redis runs")
}

/// Reads until something comes.
pub(crate) async fn await_entries(reader: &mut GroupReader) -> Vec<Delivery> {
    let entries = reader.next(tokio::time::Instant::now() + PATIENCE).await;
    assert!(!entries.is_empty(), "nothing came");
    entries
}

/// Long enough for any machine; what is waited for normally comes at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Looks again until it holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn ids(entries: &[Delivery]) -> Vec<EntryId> {
    entries.iter().map(|delivery| delivery.entry.id).collect()
}

/// Field `n` of each.
pub(crate) fn numbers(entries: &[Delivery]) -> Vec<u32> {
    entries
        .iter()
        .map(|delivery| number(&delivery.entry))
        .collect()
}

pub(crate) fn number(entry: &redis_streams::Entry) -> u32 {
    entry
        .text("n")
        .and_then(|n| n.parse().ok())
        .expect("a number")
}

/// What is heard next, if it is entries: their numbers.
pub(crate) async fn heard(reader: &mut BroadcastReader) -> Vec<u32> {
    match hear(reader).await {
        Received::Entries(entries) => entries.iter().map(number).collect(),
        Received::Gap(gap) => panic!("a gap: {gap:?}"),
    }
}

pub(crate) async fn hear(reader: &mut BroadcastReader) -> Received {
    reader
        .next(Duration::from_millis(50))
        .await
        .expect("Redis runs")
}
