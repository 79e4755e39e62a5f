//! Arguments and results. All times are milliseconds; absolute ones since 1970 by Redis' clock.

use redis::{RedisWrite, ToRedisArgs};
use redis_link::{LinkError, Reply};

use super::Shard;

/// Longest body of an entry, in bytes. Keep larger data elsewhere and put its key into the entry.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// How many entries of a queue may be parked on one shard. They stay until an operator replays or
/// drops them.
pub const MAX_PARKED: u32 = 10_000;

/// When an entry is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// So many milliseconds from now, by Redis' clock.
    In(u64),
    /// At this time.
    At(u64),
}

impl ToRedisArgs for Due {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        match self {
            Self::In(ms) => out.write_arg_fmt(format_args!("+{ms}")),
            Self::At(ms) => out.write_arg_fmt(format_args!("@{ms}")),
        }
    }
}

/// An entry to be scheduled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Where it is stored.
    pub shard: Shard,
    /// Unique within queue and shard: 1 to 200 visible ASCII characters.
    pub id: String,
    /// The data for its handler, at most [`MAX_BODY_BYTES`].
    pub body: String,
    /// When it is due.
    pub due: Due,
}

/// The result of scheduling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduled {
    /// The entry is new.
    New,
    /// An entry of that id existed, waiting or leased; it was not changed.
    Existing,
}

/// A leased entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Where it is stored.
    pub shard: Shard,
    /// Its id.
    pub id: String,
    /// Its body. Empty if another program deleted it from Redis.
    pub body: String,
    /// The fencing token of this lease: 32 hex digits.
    pub token: String,
    /// From 1; lost leases and retries count.
    pub attempt: u32,
    /// When it was due: the first due time also after a lost lease, the new one after a retry.
    pub due_ms: u64,
}

/// The result of a claim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claimed {
    /// The leased entries.
    pub claims: Vec<Claim>,
    /// Redis' time.
    pub now_ms: u64,
    /// Redis' time in microseconds.
    pub now_us: u64,
    /// The earliest time at which an entry of these shards is due or a lease ends, leases of this
    /// claim included. In the past when more entries are due than the limit allowed.
    pub next_due_ms: Option<u64>,
    /// The same for each shard that the claim reached before the limit.
    pub next: Vec<(Shard, Option<u64>)>,
}

/// The result of an operation under a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fenced {
    /// Applied.
    Done,
    /// Not applied: the caller no longer holds the lease. The entry was claimed by another worker,
    /// rescheduled, cancelled, or ended.
    Stale,
    /// Not applied: [`MAX_PARKED`] entries are parked on the shard. The caller still holds the
    /// lease.
    Full,
}

/// A stored entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its body.
    pub body: String,
    /// When it is due; while leased, when the lease ends.
    pub due_ms: u64,
    /// How many attempts have begun.
    pub attempts: u32,
    /// Whether a worker, running or dead, holds it.
    pub leased: bool,
}

impl Entry {
    pub(super) fn read(reply: &mut Reply) -> Result<Self, LinkError> {
        Ok(Self {
            body: reply.word()?,
            due_ms: reply.parse()?,
            attempts: reply.parse()?,
            leased: reply.parse::<u8>()? == 1,
        })
    }
}

/// A stored entry and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its id.
    pub id: String,
    /// The entry.
    pub entry: Entry,
}

impl Pending {
    pub(super) fn read(reply: &mut Reply) -> Result<Self, LinkError> {
        Ok(Self {
            id: reply.word()?,
            entry: Entry::read(reply)?,
        })
    }
}

/// Counts of one or more shards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Entries without a lease, due or not.
    pub waiting: u64,
    /// Leased entries, including those of dead workers until they are claimed again.
    pub leased: u64,
    /// Parked entries.
    pub parked: u64,
    /// Age of the earliest due time or lease end in the past; `None` if none is in the past.
    pub oldest_overdue_ms: Option<u64>,
}

impl Stats {
    pub(super) fn read(reply: &mut Reply) -> Result<Self, LinkError> {
        let now_ms: u64 = reply.parse()?;
        Ok(Self {
            waiting: reply.parse()?,
            leased: reply.parse()?,
            parked: reply.parse()?,
            oldest_overdue_ms: reply
                .parse_optional()?
                .and_then(|due: u64| now_ms.checked_sub(due)),
        })
    }
}

/// A parked entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Its id. Several parked entries may share an id.
    pub id: String,
    /// Distinguishes entries of one id: 16 hex digits. Empty for entries of versions without marks.
    pub mark: String,
    /// Its body.
    pub body: String,
    /// How many attempts were made.
    pub attempts: u32,
    /// Why it was parked.
    pub reason: String,
    /// When it was parked.
    pub parked_ms: u64,
}

impl Parked {
    pub(super) fn read(reply: &mut Reply) -> Result<Self, LinkError> {
        Ok(Self {
            id: reply.word()?,
            mark: reply.word()?,
            body: reply.word()?,
            attempts: reply.parse()?,
            reason: reply.word()?,
            parked_ms: reply.parse()?,
        })
    }
}

/// The result of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// The entry waits again.
    Done,
    /// No entry of that id (and mark) is parked.
    NotParked,
    /// Several entries of that id are parked: give the mark of one.
    Several,
    /// An entry of that id waits already; the parked one stays parked.
    Existing,
}
