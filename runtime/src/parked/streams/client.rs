//! Reads dead-letter streams, and moves their entries back.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use redis::{Cmd, cmd};
use redis_link::{Call, Link, LinkError, Reply, Script};

use super::DEAD;
use super::entry::{StreamEntry, reason_to_stay};
use crate::parked::{DeadLetterView, ReplaySummary};
use crate::redis_client;
use sam_template::model::RedisEndpoint;

/// Time limit of a connection and of a response.
const PATIENCE: Duration = Duration::from_secs(5);

/// Time limit of a scan through all keys of a database.
const SEARCH: Duration = Duration::from_secs(10);

/// A replay ends after so many dead letters that cannot be replayed.
const MAX_STAYING: usize = 1_000;

/// Keys that one SCAN call examines.
const STEP: usize = 1_000;

static REPLAY: LazyLock<Script> =
    LazyLock::new(|| Script::new("parked/replay", include_str!("../lua/replay.lua"), &[]));

#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    #[error("Redis at {address}: {error}")]
    Redis { address: String, error: LinkError },
    #[error(
        "Redis at {address}: the scan for dead-letter streams takes longer than {} s",
        SEARCH.as_secs()
    )]
    SearchTimeout { address: String },
    #[error("{error}; {replayed} dead letters were replayed before")]
    InPart {
        error: Box<StreamError>,
        replayed: u64,
    },
}

/// A connection to the Redis of the streams. Cheap to clone: clones share the connection.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    link: Link,
    /// Hosts and ports, for messages: the URL may contain a password.
    address: String,
}

impl Streams {
    /// Connects on first use.
    ///
    /// # Errors
    /// The address or the authorities cannot be read.
    pub(super) fn at(redis: &RedisEndpoint) -> Result<Self, StreamError> {
        let address = redis_client::address(redis);
        match redis_client::link(redis, PATIENCE) {
            Ok(link) => Ok(Self { link, address }),
            Err(error) => Err(StreamError::Redis { address, error }),
        }
    }

    fn checked<T>(&self, result: Result<T, LinkError>) -> Result<T, StreamError> {
        result.map_err(|error| StreamError::Redis {
            address: self.address.clone(),
            error,
        })
    }

    /// Names of the dead-letter streams. Scans every key of the database.
    pub(super) async fn found(&self) -> Result<Vec<String>, StreamError> {
        match tokio::time::timeout(SEARCH, self.search()).await {
            Ok(found) => Ok(self.checked(found)?.into_iter().collect()),
            Err(_) => Err(StreamError::SearchTimeout {
                address: self.address.clone(),
            }),
        }
    }

    async fn search(&self) -> Result<BTreeSet<String>, LinkError> {
        let step = |cursor: u64| {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(format!("*{DEAD}"));
            scan.arg("COUNT").arg(STEP).arg("TYPE").arg("stream");
            scan
        };
        let mut found = BTreeSet::new();
        let mut position = 0;
        loop {
            let (next, mut keys) = self.link.scan("SCAN", position, step).await?;
            while keys.remaining() > 0 {
                // a name that is not UTF-8 cannot be an argument of the command line
                found.extend(keys.bytes().and_then(|key| String::from_utf8(key).ok()));
            }
            if next == 0 {
                return Ok(found);
            }
            position = next;
        }
    }

    pub(super) async fn count(&self, dead: &str) -> Result<u64, StreamError> {
        let mut length = cmd("XLEN");
        length.arg(dead);
        let count = self.link.read_one("XLEN", length).await;
        self.checked(count.and_then(|mut count| count.parse()))
    }

    /// Whether a dead-letter stream of this name exists.
    pub(super) async fn has(&self, name: &str) -> Result<bool, StreamError> {
        let mut kind = cmd("TYPE");
        kind.arg(name);
        let kind = self.link.read_one("TYPE", kind).await;
        let kind = self.checked(kind.and_then(|mut kind| kind.word()))?;
        Ok(kind == "stream" && name.ends_with(DEAD))
    }

    pub(super) async fn peek(
        &self,
        dead: &str,
        limit: usize,
    ) -> Result<Vec<DeadLetterView>, StreamError> {
        let entries = self.range(dead, "-", "+", limit).await?;
        Ok(entries.iter().map(|entry| entry.view(dead)).collect())
    }

    async fn range(
        &self,
        dead: &str,
        from: &str,
        to: &str,
        max: usize,
    ) -> Result<Vec<StreamEntry>, StreamError> {
        let mut range = cmd("XRANGE");
        range.arg(dead).arg(from).arg(to);
        self.entries(range, max).await
    }

    /// The entries of a range, `max` at most.
    async fn entries(&self, mut range: Cmd, max: usize) -> Result<Vec<StreamEntry>, StreamError> {
        range.arg("COUNT").arg(max);
        let entries = self.link.read_one("a range of a stream", range).await;
        self.checked(entries.and_then(|mut entries| entries.rest(entry)))
    }

    /// Replays the oldest dead letters, up to `limit`. Those that arrive during the replay are not
    /// tried.
    pub(super) async fn replay(
        &self,
        dead: &str,
        limit: usize,
    ) -> Result<ReplaySummary, StreamError> {
        let mut replayed = ReplaySummary::default();
        let mut newest = cmd("XREVRANGE");
        newest.arg(dead).arg("+").arg("-");
        let Some(last) = self.entries(newest, 1).await?.pop() else {
            return Ok(replayed);
        };
        let mut from = "-".to_owned();
        while (replayed.dead_letters as usize) < limit && replayed.stayed.len() < MAX_STAYING {
            let left = limit - replayed.dead_letters as usize;
            let entries = self.range(dead, &from, &last.id, left).await?;
            let Some(end) = entries.last() else { break };
            from = format!("({}", end.id);
            for entry in &entries {
                let answer = self.link.run(Call::new(&REPLAY, dead).arg(&entry.id)).await;
                let answer = answer.and_then(|mut answer| answer.word());
                let answer = self.checked(answer).map_err(|error| StreamError::InPart {
                    error: Box::new(error),
                    replayed: replayed.dead_letters,
                })?;
                match answer.as_str() {
                    "BACK" => {
                        replayed.dead_letters += 1;
                        replayed.records += 1;
                    }
                    // another command replayed or removed it
                    "GONE" => {}
                    why => {
                        let why = reason_to_stay(why, dead);
                        replayed.stayed.push(format!("{}: {why}", entry.id));
                    }
                }
            }
        }
        Ok(replayed)
    }
}

fn entry(reply: &mut Reply) -> Result<StreamEntry, LinkError> {
    let mut entry = reply.nested()?;
    let id = entry.word()?;
    let mut own = entry.nested()?;
    let fields = own.rest(|own| match own.bytes() {
        Some(field) => Ok(field),
        None => Err(own.unexpected("a field that is no text")),
    })?;
    Ok(StreamEntry { id, fields })
}
