//! A stream under a prefix of its own.

use std::collections::HashMap;
use std::time::Duration;

use redis::FromRedisValue;
use redis_streams::{
    Bounds, BroadcastReader, Delivery, Entry, EntryId, GroupReader, GroupSettings, Link, Published,
    Publisher, Received,
};
use testkit::redis::remove_keys;
use testkit::servers::redis_url;

pub(crate) const GROUP: &str = "workers";
/// Every wait ends long before.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct TestEnvironment {
    prefix: String,
    pub(crate) link: Link,
    url: String,
}

impl TestEnvironment {
    /// On the shared server.
    pub(crate) fn open() -> Self {
        Self::at(&redis_url())
    }

    pub(crate) fn at(url: &str) -> Self {
        Self {
            prefix: testkit::prefix(),
            link: Link::open(url, Duration::from_secs(5)).expect("a usable address"),
            url: url.to_owned(),
        }
    }

    pub(crate) fn key(&self) -> String {
        format!("{}:{{things}}", self.prefix)
    }

    pub(crate) fn dead_key(&self) -> String {
        format!("{}-dead", self.key())
    }

    pub(crate) fn publisher(&self, keep: u64, max: u64) -> Publisher {
        Publisher::new(
            self.link.clone(),
            &self.key(),
            Bounds::new(keep, max).expect("valid"),
        )
    }

    /// Publishes entries with these values of field `n`.
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

    pub(crate) async fn reader(&self) -> BroadcastReader {
        BroadcastReader::open(self.link.clone(), &self.key())
            .await
            .expect("Redis runs")
    }

    pub(crate) fn consumer(&self, name: &str) -> GroupReader {
        self.consumer_with(name, settings())
    }

    pub(crate) fn consumer_with(&self, name: &str, settings: GroupSettings) -> GroupReader {
        GroupReader::open(self.link.clone(), &self.key(), GROUP, name, settings)
    }

    #[allow(clippy::unused_async, reason = "the tests need no other form")]
    pub(crate) async fn query<T: FromRedisValue>(&self, words: &[&str]) -> T {
        testkit::redis::query(&self.url, words).unwrap_or_else(|e| {
            panic!(
                "{words:?} at {}: {e}; run `scripts/servers start redis`",
                self.url
            )
        })
    }

    pub(crate) async fn length(&self) -> u64 {
        self.query(&["XLEN", &self.key()]).await
    }

    /// How many entries are delivered and not acknowledged.
    pub(crate) async fn pending(&self) -> u64 {
        self.consumer("observer")
            .state()
            .await
            .expect("Redis runs")
            .pending
    }

    /// Names of the group's consumers.
    pub(crate) async fn consumers(&self) -> Vec<String> {
        let infos: Vec<HashMap<String, redis::Value>> = self
            .query(&["XINFO", "CONSUMERS", &self.key(), GROUP])
            .await;
        let name =
            |info: &HashMap<String, redis::Value>| String::from_redis_value(info["name"].clone());
        let mut names: Vec<String> = infos
            .iter()
            .map(|info| name(info).expect("a name"))
            .collect();
        names.sort();
        names
    }

    /// The fields of the dead letters.
    pub(crate) async fn dead_letters(&self) -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
        let entries: Vec<(String, Vec<Vec<u8>>)> =
            self.query(&["XRANGE", &self.dead_key(), "-", "+"]).await;
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

impl Drop for TestEnvironment {
    fn drop(&mut self) {
        // A private server may have ended; its data end with it.
        if self.url == redis_url()
            && let Err(error) = remove_keys(&self.url, &self.prefix)
        {
            eprintln!("keys of {} are not removed: {error}", self.prefix);
        }
    }
}

/// Short idle times. No test asserts how soon something happens.
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

/// One read; may be empty.
pub(crate) async fn read(reader: &mut GroupReader) -> Vec<Delivery> {
    reader
        .read(Duration::from_millis(50))
        .await
        .expect("Redis runs")
}

/// Reads until entries arrive.
pub(crate) async fn await_entries(reader: &mut GroupReader) -> Vec<Delivery> {
    let entries = reader.next(tokio::time::Instant::now() + DEADLINE).await;
    assert!(!entries.is_empty(), "no entry arrived");
    entries
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

pub(crate) fn number(entry: &Entry) -> u32 {
    entry
        .text("n")
        .and_then(|n| n.parse().ok())
        .expect("a number")
}

/// Field `n` of each entry of the next read, which must not be a gap.
pub(crate) async fn next_numbers(reader: &mut BroadcastReader) -> Vec<u32> {
    match next(reader).await {
        Received::Entries(entries) => entries.iter().map(number).collect(),
        Received::Gap(gap) => panic!("a gap: {gap:?}"),
    }
}

pub(crate) async fn next(reader: &mut BroadcastReader) -> Received {
    reader
        .next(Duration::from_millis(50))
        .await
        .expect("Redis runs")
}
