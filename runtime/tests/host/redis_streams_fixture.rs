//! A stream of its own, and a host whose function reads it.

use redis::FromRedisValue;
use testkit::eventually;
use testkit::redis::{query, remove_keys};
use testkit::servers::redis_url;

use crate::sources_fixture::Host;

/// The name of the source.
pub(crate) const SOURCE: &str = "Changes";

pub(crate) struct StreamFixture {
    pub(crate) host: Host,
    prefix: String,
    url: String,
    /// The address to which the test itself sends commands.
    pub(crate) commands: String,
}

/// What the function recorded of an entry: `id receives batch-size done|failed body`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) receives: u32,
    pub(crate) batch: usize,
    pub(crate) done: bool,
    pub(crate) body: String,
}

impl StreamFixture {
    /// On the shared server. `keys`: further keys of the declaration.
    pub(crate) fn new(keys: &str) -> Self {
        Self::at(&redis_url(), &testkit::prefix(), keys)
    }

    pub(crate) fn at(url: &str, prefix: &str, keys: &str) -> Self {
        Self::reached(url, url, prefix, keys)
    }

    /// `url` is the host's address of a Redis to which the test sends commands at `commands`.
    pub(crate) fn reached(url: &str, commands: &str, prefix: &str, keys: &str) -> Self {
        let declaration = format!(
            "[endpoints]
redis = '{url}'
[sources.{SOURCE}]
type = 'RedisStream'
function = 'Worker'
stream = '{prefix}:{{things}}'
name = 'things'
group = 'workers'
report-batch-item-failures = true
{keys}
"
        );
        Self {
            host: Host::with("        {}", "", &declaration),
            prefix: prefix.to_owned(),
            url: url.to_owned(),
            commands: commands.to_owned(),
        }
    }

    /// A second host of the same stream and group.
    pub(crate) fn other_host(&self, keys: &str) -> Self {
        Self::reached(&self.url, &self.commands, &self.prefix, keys)
    }

    pub(crate) fn key(&self) -> String {
        format!("{}:{{things}}", self.prefix)
    }

    pub(crate) fn dead_key(&self) -> String {
        format!("{}-dead", self.key())
    }

    /// A file that the function writes, or waits for.
    pub(crate) fn marker(&self, name: &str) -> String {
        self.host.path().join(name).display().to_string()
    }

    pub(crate) fn redis<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let answer = query(&self.commands, words);
        answer.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Adds an entry for each body. Returns their ids.
    pub(crate) fn add(&self, bodies: &[impl AsRef<str>]) -> Vec<String> {
        let key = self.key();
        bodies
            .iter()
            .map(|body| self.redis(&["XADD", &key, "*", "body", body.as_ref()]))
            .collect()
    }

    pub(crate) fn pending(&self) -> u64 {
        let (pending, ..): (u64, redis::Value, redis::Value, redis::Value) =
            self.redis(&["XPENDING", &self.key(), "workers"]);
        pending
    }

    /// The first dead letters: the words of each.
    pub(crate) fn dead_letters(&self) -> Vec<Vec<String>> {
        let entries: Vec<(String, Vec<String>)> =
            self.redis(&["XRANGE", &self.dead_key(), "-", "+"]);
        entries.into_iter().map(|(_, words)| words).collect()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        let read = |line: &str| {
            let mut words = line.splitn(5, ' ');
            let mut word = || words.next().unwrap().to_owned();
            Seen {
                id: word(),
                receives: word().parse().unwrap(),
                batch: word().parse().unwrap(),
                done: word() == "done",
                body: word(),
            }
        };
        self.host.seen().lines().map(read).collect()
    }

    /// What was seen, once so many were processed.
    pub(crate) async fn eventually_done(&self, count: usize) -> Vec<Seen> {
        eventually("the entries are processed", async || {
            let seen = self.seen();
            (seen.iter().filter(|seen| seen.done).count() >= count).then_some(seen)
        })
        .await
    }

    /// Waits until the group has received and acknowledged everything.
    pub(crate) async fn eventually_empty(&self) {
        eventually("nothing is pending", async || {
            let last: String = self.last_delivered();
            let newest: Vec<(String, Vec<String>)> =
                self.redis(&["XREVRANGE", &self.key(), "+", "-", "COUNT", "1"]);
            let read = newest.first().is_none_or(|(id, _)| *id == last);
            (read && self.pending() == 0).then_some(())
        })
        .await;
    }

    fn last_delivered(&self) -> String {
        let groups: Vec<std::collections::HashMap<String, redis::Value>> =
            self.redis(&["XINFO", "GROUPS", &self.key()]);
        let last = groups[0]["last-delivered-id"].clone();
        FromRedisValue::from_redis_value(last).unwrap()
    }

    /// The source in the status, once `found` returns true for it.
    pub(crate) async fn eventually_status(
        &self,
        what: &str,
        found: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        eventually(what, async || {
            let status = self.host.json("/_usher/status").await["streams"][0].clone();
            found(&status).then_some(status)
        })
        .await
    }
}

impl Drop for StreamFixture {
    fn drop(&mut self) {
        // a private server may have ended; its data end with it
        if self.url == redis_url()
            && let Err(error) = remove_keys(&self.url, &self.prefix)
        {
            eprintln!("keys of {} are not removed: {error}", self.prefix);
        }
    }
}
