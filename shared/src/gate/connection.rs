//! The gate: its connection, the names of its keys, and Redis' clock.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use redis::cmd;

use crate::naming::Names;
use crate::sale::GateClock;
use delay_queue::DelayQueue;
use redis_link::{Link, LinkError};

use super::types::{ProgramRef, TIMEOUT_QUEUE};

/// How long one reading of Redis' clock is used.
const CLOCK_FRESH: Duration = Duration::from_secs(10);

/// The Redis gate of one environment. Cheap to clone; clones share one connection.
#[derive(Debug, Clone)]
pub struct Gate {
    pub(super) link: Link,
    pub(super) names: Names,
    clock: Arc<Mutex<Option<Reading>>>,
}

/// A reading of Redis' clock, and its time by both local clocks.
#[derive(Debug, Clone, Copy)]
struct Reading {
    clock: GateClock,
    monotonic: Instant,
    wall: SystemTime,
}

impl Gate {
    /// A gate on `redis://host:port`. It connects on first use. Needs a tokio runtime.
    ///
    /// `response_timeout` bounds every call: after it the result is [`LinkError::Unavailable`].
    pub fn connect(url: &str, names: Names, response_timeout: Duration) -> Result<Self, LinkError> {
        Ok(Self::over(Link::open(url, response_timeout)?, names))
    }

    /// A gate over a link, whose response timeout bounds every call.
    pub fn over(link: Link, names: Names) -> Self {
        Self {
            link,
            names,
            clock: Arc::default(),
        }
    }

    /// The connection, for other data on this Redis.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The delay queue of order timeouts.
    pub fn timeouts(&self) -> DelayQueue {
        DelayQueue::new(self.link.clone(), self.names.prefix(), TIMEOUT_QUEUE)
            .unwrap_or_else(|error| unreachable!("prefix and name are valid: {error}"))
    }

    /// Whether Redis answers.
    pub async fn ping(&self) -> Result<(), LinkError> {
        self.link.read("ping", vec![cmd("PING")]).await.map(drop)
    }

    /// Redis' time, milliseconds since 1970: in a cluster that of any node. Read at most every ten
    /// seconds; the local clock continues it in between.
    pub async fn now_ms(&self) -> Result<u64, LinkError> {
        if let Some(reading) = *self.clock.lock().unwrap_or_else(PoisonError::into_inner) {
            // By both clocks: the monotonic one stops while a machine sleeps, the other may be set.
            let by_wall = reading.wall.elapsed().is_ok_and(|age| age < CLOCK_FRESH);
            if by_wall && reading.monotonic.elapsed() < CLOCK_FRESH {
                return Ok(reading.clock.now_ms(local_ms(SystemTime::now())));
            }
        }
        let before = local_ms(SystemTime::now());
        let mut reply = self.link.read_one("time", cmd("TIME")).await?;
        let monotonic = Instant::now();
        let wall = SystemTime::now();
        let seconds: u64 = reply.parse()?;
        let micros: u64 = reply.parse()?;
        let clock = GateClock::observed(before, seconds * 1000 + micros / 1000, local_ms(wall));
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some(Reading {
            clock,
            monotonic,
            wall,
        });
        Ok(clock.now_ms(local_ms(wall)))
    }

    /// The key of a program's header, which each script gets.
    pub(super) fn head_key(&self, program: ProgramRef) -> String {
        self.program_key(program, "head")
    }

    pub(super) fn program_key(&self, program: ProgramRef, rest: impl fmt::Display) -> String {
        self.names
            .shard_key(program.shard, format_args!("program:{}:{rest}", program.id))
    }
}

fn local_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
