//! What the caches must be told, from the environment; template.yaml names the same things.

use std::time::Duration;

use super::announcer::Announcer;
use super::programs::{Keep, ProgramCache, Truth};
use super::rules::Hearing;
use super::shared::SharedCache;
use crate::config::{Reader, Url};
use crate::naming::Names;
use redis_link::{Link, LinkError};
use redis_streams::Bounds;

/// Longest that a process which hears of no change may serve from memory.
const DEAF_TTL_MS: u64 = 2_000;

/// Where changes of programs are told.
#[derive(Debug, Clone)]
pub struct ProgramStreams {
    /// The Redis of caches and streams.
    pub redis: Url,
    /// How long it may take to answer.
    pub timeout: Duration,
    /// The stream of committed changes, without the prefix.
    pub changed: String,
    /// The stream of what the shared cache no longer holds, without the prefix.
    pub evicted: String,
    /// How long the two may become.
    pub bounds: Bounds,
}

impl ProgramStreams {
    /// Reads all of them; nothing if some are wrong, which the reader then knows.
    pub fn read(reader: &Reader) -> Option<Self> {
        let redis = reader.redis_url("REDIS_CACHE_URL");
        let timeout = reader.milliseconds_or("CACHE_TIMEOUT_MS", 10..=10_000, 250);
        let changed = reader.text_or("PROGRAM_CHANGED_STREAM", "program-changed");
        let evicted = reader.text_or("PROGRAM_EVICTED_STREAM", "program-evicted");
        let keep = reader.integer_or("PROGRAM_STREAM_KEEP", 1..=1_000_000, 1_000);
        let most = reader.integer_or("PROGRAM_STREAM_MOST", 201..=10_000_000, 100_000);
        let bounds = match Bounds::new(keep?, most?) {
            Ok(bounds) => Some(bounds),
            Err(e) => {
                reader.refuse(
                    "PROGRAM_STREAM_KEEP, PROGRAM_STREAM_MOST",
                    "contradict each other",
                    e.rule,
                );
                None
            }
        };
        Some(Self {
            redis: redis?,
            timeout: timeout?,
            changed: changed?,
            evicted: evicted?,
            bounds: bounds?,
        })
    }

    /// A connection to the Redis of caches and streams; made when first used.
    pub fn link(&self) -> Result<Link, LinkError> {
        Link::open(self.redis.as_str(), self.timeout)
    }

    /// Tells of committed changes.
    pub fn tell_changed(&self, link: Link, names: &Names) -> Announcer {
        Announcer::new(link, names, &self.changed, self.bounds)
    }

    /// Tells of what the shared cache no longer holds.
    pub fn tell_evicted(&self, link: Link, names: &Names) -> Announcer {
        Announcer::new(link, names, &self.evicted, self.bounds)
    }
}

/// Settings of the caches of one process that reads programs.
#[derive(Debug, Clone)]
pub struct CacheSettings {
    /// Where changes are told, and heard of.
    pub streams: ProgramStreams,
    /// What is kept, and how long.
    pub keep: Keep,
    /// Whether this process hears of changes.
    pub hearing: Hearing,
}

impl CacheSettings {
    /// Reads all of them; nothing if some are wrong, which the reader then knows.
    pub fn read(reader: &Reader) -> Option<Self> {
        let streams = ProgramStreams::read(reader);
        let shared_ttl =
            reader.milliseconds_or("PROGRAM_CACHE_SHARED_TTL_MS", 100..=86_400_000, 60_000);
        let absent_ttl = reader.milliseconds_or("PROGRAM_CACHE_ABSENT_TTL_MS", 1..=60_000, 1_000);
        let entries = reader.integer_or("PROGRAM_CACHE_ENTRIES", 1..=1_000_000, 1_000);
        let fresh_for = reader.milliseconds_or("PROGRAM_CACHE_FRESH_MS", 200..=60_000, 2_000);
        let hearing = match reader.text_or("PROGRAM_CACHE_READER", "false")?.as_str() {
            "true" => fresh_for.map(|fresh_for| Hearing::Follows { fresh_for }),
            "false" => Some(Hearing::Deaf),
            other => {
                reader.refuse(
                    "PROGRAM_CACHE_READER",
                    format_args!("is {other:?}"),
                    "true or false",
                );
                None
            }
        };
        // Nobody tells a deaf process of a change, so its memory must be short.
        let most = if hearing == Some(Hearing::Deaf) {
            DEAF_TTL_MS
        } else {
            3_600_000
        };
        let ttl = reader.milliseconds_or("PROGRAM_CACHE_TTL_MS", 1..=most, DEAF_TTL_MS);
        Some(Self {
            streams: streams?,
            keep: Keep {
                entries: entries?,
                ttl: ttl?,
                shared_ttl: shared_ttl?,
                absent_ttl: absent_ttl?,
            },
            hearing: hearing?,
        })
    }

    /// The caches over a truth. Nothing connects before its first use, and no follower runs yet: [`super::follow`].
    pub fn open<T: Truth>(&self, truth: T, link: Link, names: &Names) -> ProgramCache<T> {
        ProgramCache::new(
            truth,
            SharedCache::new(link, names.clone()),
            self.hearing,
            self.keep,
        )
    }

    /// How long one read of the follower waits: several fit into the time for which one counts as recent. Nothing if none is to run.
    pub fn block(&self) -> Option<Duration> {
        match self.hearing {
            Hearing::Follows { fresh_for } => Some(fresh_for / 4),
            Hearing::Deaf => None,
        }
    }
}
