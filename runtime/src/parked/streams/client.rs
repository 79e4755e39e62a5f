//! Reads dead-letter streams, and moves their entries back.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncCommands as _, AsyncConnectionConfig, IntoConnectionInfo, RedisError, RedisResult,
    ScanOptions, Script,
};

use super::DEAD;
use super::entry::{StreamEntry, reason_to_stay, source};
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

const REPLAY: &str = include_str!("../lua/replay.lua");

#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    #[error("the address of Redis is not one such as redis://127.0.0.1:6379")]
    Address,
    #[error("Redis at {address}: {error}")]
    Redis { address: String, error: RedisError },
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
    connection: MultiplexedConnection,
    /// Host and port, for messages: the URL may contain a password.
    address: String,
}

impl Streams {
    /// # Errors
    /// The URL is invalid, or Redis does not respond.
    pub(super) async fn at(redis: &RedisEndpoint) -> Result<Self, StreamError> {
        let info = redis
            .url
            .as_str()
            .into_connection_info()
            .map_err(|_| StreamError::Address)?;
        let address = info.addr().to_string();
        let failed = |error| StreamError::Redis {
            address: address.clone(),
            error,
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = redis_client::of(redis).map_err(failed)?;
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        Ok(Self {
            connection: connection.map_err(failed)?,
            address,
        })
    }

    fn checked<T>(&self, result: RedisResult<T>) -> Result<T, StreamError> {
        result.map_err(|error| StreamError::Redis {
            address: self.address.clone(),
            error,
        })
    }

    /// Names of the dead-letter streams. Scans every key of the database.
    pub(super) async fn found(&mut self) -> Result<Vec<String>, StreamError> {
        match tokio::time::timeout(SEARCH, self.search()).await {
            Ok(found) => Ok(self.checked(found)?.into_iter().collect()),
            Err(_) => Err(StreamError::SearchTimeout {
                address: self.address.clone(),
            }),
        }
    }

    async fn search(&mut self) -> RedisResult<BTreeSet<String>> {
        let options = ScanOptions::default().with_pattern(format!("*{DEAD}"));
        let options = options.with_count(STEP).with_type("stream");
        let mut keys = self.connection.scan_options::<Vec<u8>>(options).await?;
        let mut found = BTreeSet::new();
        while let Some(key) = keys.next_item().await {
            // a name that is not UTF-8 cannot be an argument of the command line
            found.extend(String::from_utf8(key?));
        }
        Ok(found)
    }

    pub(super) async fn count(&mut self, dead: &str) -> Result<u64, StreamError> {
        let count = self.connection.xlen(dead).await;
        self.checked(count)
    }

    /// Whether a dead-letter stream of this name exists.
    pub(super) async fn has(&mut self, name: &str) -> Result<bool, StreamError> {
        let kind = self.connection.key_type(name).await;
        let kind: String = self.checked(kind)?;
        Ok(kind == "stream" && name.ends_with(DEAD))
    }

    pub(super) async fn peek(
        &mut self,
        dead: &str,
        limit: usize,
    ) -> Result<Vec<DeadLetterView>, StreamError> {
        let entries = self.range(dead, "-", "+", limit).await?;
        Ok(entries.iter().map(|entry| entry.view(dead)).collect())
    }

    async fn range(
        &mut self,
        dead: &str,
        from: &str,
        to: &str,
        max: usize,
    ) -> Result<Vec<StreamEntry>, StreamError> {
        let range = self.connection.xrange_count(dead, from, to, max).await;
        let range: Vec<(String, Vec<Vec<u8>>)> = self.checked(range)?;
        let entry = |(id, fields)| StreamEntry { id, fields };
        Ok(range.into_iter().map(entry).collect())
    }

    /// Replays the oldest dead letters, up to `limit`. Those that arrive during the replay are not
    /// tried.
    pub(super) async fn replay(
        &mut self,
        dead: &str,
        limit: usize,
    ) -> Result<ReplaySummary, StreamError> {
        let script = Script::new(REPLAY);
        let mut replayed = ReplaySummary::default();
        let last = self.connection.xrevrange_count(dead, "+", "-", 1).await;
        let last: Vec<(String, Vec<Vec<u8>>)> = self.checked(last)?;
        let Some((last, _)) = last.into_iter().next() else {
            return Ok(replayed);
        };
        let mut from = "-".to_owned();
        while (replayed.dead_letters as usize) < limit && replayed.stayed.len() < MAX_STAYING {
            let left = limit - replayed.dead_letters as usize;
            let entries = self.range(dead, &from, &last, left).await?;
            let Some(end) = entries.last() else { break };
            from = format!("({}", end.id);
            for entry in &entries {
                let mut call = script.key(dead);
                call.key(source(dead)).arg(&entry.id);
                let answer = call.invoke_async(&mut self.connection).await;
                let answer = self.checked(answer).map_err(|error| StreamError::InPart {
                    error: Box::new(error),
                    replayed: replayed.dead_letters,
                });
                let answer: String = answer?;
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
