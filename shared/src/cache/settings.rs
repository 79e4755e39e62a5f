//! Settings of the caches, from the environment variables in template.yaml.

use std::time::Duration;

use super::announcer::Announcer;
use super::programs::{ProgramCache, ProgramSource, Retention};
use super::rules::ChangeFeed;
use super::shared::SharedCache;
use crate::config::{Reader, Server};
use crate::naming::Names;
use redis_link::{Link, LinkError};
use redis_streams::Bounds;

/// Maximum time to live in memory of a process without a change feed.
const UNFED_TTL_MS: u64 = 2_000;
/// Whether the process follows the changes.
const READER: &str = "PROGRAM_CACHE_READER";

/// The streams of program changes.
#[derive(Debug, Clone)]
pub struct ProgramStreams {
    /// The Redis of caches and streams.
    pub redis: Server,
    /// Its response timeout.
    pub timeout: Duration,
    /// The stream of committed changes, without the prefix.
    pub changed: String,
    /// The stream of changes applied to the shared cache, without the prefix.
    pub evicted: String,
    /// Bounds of both streams.
    pub bounds: Bounds,
}

impl ProgramStreams {
    /// Reads the settings.
    pub fn read(reader: &Reader) -> Self {
        Self {
            redis: reader.redis("REDIS_CACHE"),
            timeout: reader.milliseconds_or("CACHE_TIMEOUT_MS", 10..=10_000, 250),
            changed: reader.text_or("PROGRAM_CHANGED_STREAM", "program-changed"),
            evicted: reader.text_or("PROGRAM_EVICTED_STREAM", "program-evicted"),
            bounds: bounds(reader),
        }
    }

    /// A link with the login of the address and no further certificates.
    pub fn link(&self) -> Result<Link, LinkError> {
        Link::open(self.redis.url.as_str(), self.timeout)
    }

    /// An announcer of committed changes.
    pub fn changed_announcer(&self, link: Link, names: &Names) -> Announcer {
        Announcer::new(link, names, &self.changed, self.bounds)
    }

    /// An announcer of changes applied to the shared cache.
    pub fn evicted_announcer(&self, link: Link, names: &Names) -> Announcer {
        Announcer::new(link, names, &self.evicted, self.bounds)
    }
}

fn bounds(reader: &Reader) -> Bounds {
    let keep = reader.integer_or("PROGRAM_STREAM_KEEP", 1..=1_000_000, 1_000);
    let max = reader.integer_or("PROGRAM_STREAM_MOST", 201..=10_000_000, 100_000);
    let bounds = Bounds::new(keep, max).or_else(|e| {
        if reader.accepts(&["PROGRAM_STREAM_KEEP", "PROGRAM_STREAM_MOST"]) {
            let both = "PROGRAM_STREAM_KEEP, PROGRAM_STREAM_MOST";
            reader.refuse(both, "contradict each other", e.rule);
        }
        Bounds::new(1_000, 100_000)
    });
    bounds.unwrap_or_else(|_| unreachable!("the defaults are valid"))
}

/// Settings of a process that reads programs.
#[derive(Debug, Clone)]
pub struct CacheSettings {
    /// The streams of changes.
    pub streams: ProgramStreams,
    /// Bounds of the caches.
    pub retention: Retention,
    /// How this process learns of changes.
    pub feed: ChangeFeed,
}

impl CacheSettings {
    /// Reads the settings.
    pub fn read(reader: &Reader) -> Self {
        let streams = ProgramStreams::read(reader);
        let shared_ttl =
            reader.milliseconds_or("PROGRAM_CACHE_SHARED_TTL_MS", 100..=86_400_000, 60_000);
        let absent_ttl = reader.milliseconds_or("PROGRAM_CACHE_ABSENT_TTL_MS", 1..=60_000, 1_000);
        let entries = reader.integer_or("PROGRAM_CACHE_ENTRIES", 1..=1_000_000, 1_000);
        let fresh_for = reader.milliseconds_or("PROGRAM_CACHE_FRESH_MS", 200..=60_000, 2_000);
        let follows = reader.switch_or(READER, false);
        // Without a change feed, age alone bounds outdated data.
        let max_ttl = if follows || !reader.accepts(&[READER]) {
            3_600_000
        } else {
            UNFED_TTL_MS
        };
        Self {
            streams,
            retention: Retention {
                entries,
                ttl: reader.milliseconds_or("PROGRAM_CACHE_TTL_MS", 1..=max_ttl, UNFED_TTL_MS),
                shared_ttl,
                absent_ttl,
            },
            feed: if follows {
                ChangeFeed::Follows { fresh_for }
            } else {
                ChangeFeed::Unavailable
            },
        }
    }

    /// The caches in front of `source`. They connect on first use. The caller starts
    /// [`super::follow`].
    pub fn open<T: ProgramSource>(&self, source: T, link: Link, names: &Names) -> ProgramCache<T> {
        ProgramCache::new(
            source,
            SharedCache::new(link, names.clone()),
            self.feed,
            self.retention,
        )
    }

    /// How long one read of the follower waits, a quarter of `fresh_for`. `None` without a change
    /// feed.
    pub fn block(&self) -> Option<Duration> {
        match self.feed {
            ChangeFeed::Follows { fresh_for } => Some(fresh_for / 4),
            ChangeFeed::Unavailable => None,
        }
    }
}
