//! What goes into the queue and what it answers. All times in milliseconds; absolute ones since 1970 by Redis' clock.

use redis::{RedisWrite, ToRedisArgs};

use crate::message::Shard;

/// Longest body of an entry, in bytes: what is larger belongs into a store, with its key in the entry.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// Most entries of a queue that may be put aside on one shard. They are kept until an operator replays or drops them.
pub const MAX_PARKED: u32 = 10_000;

/// When an entry is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// So many milliseconds from now, by Redis' clock. The caller's clock plays no part.
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
    /// Where it is kept.
    pub shard: Shard,
    /// Its identity within queue and shard.
    pub id: String,
    /// What its handler needs to know.
    pub body: String,
    /// When it is due.
    pub due: Due,
}

/// What scheduling did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduled {
    /// The entry is new.
    New,
    /// An entry of that id was there already, waiting or leased; it was left alone.
    Existing,
}

/// A leased entry: the caller's until the lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Where it is kept.
    pub shard: Shard,
    /// Its identity.
    pub id: String,
    /// What was scheduled with it. Empty if something else removed it from Redis.
    pub body: String,
    /// The fencing token of this lease: 32 hex digits.
    pub token: String,
    /// 1 the first time, counted through lost leases and retries.
    pub attempt: u32,
    /// When it was due. After a lease that ran out still the first time, after a retry the time retry set.
    pub due_ms: u64,
}

/// The answer to a claim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claimed {
    /// What is now the caller's.
    pub claims: Vec<Claim>,
    /// Redis' time.
    pub now_ms: u64,
    /// The same in microseconds.
    pub now_us: u64,
    /// The earliest time at which something of the shards asked will be due, or a lease will end (those just given included): sleep
    /// until then. In the past when more is due than was asked for.
    pub next_due_ms: Option<u64>,
    /// The same shard by shard, of those that were asked: all, unless the limit was reached before.
    pub next: Vec<(Shard, Option<u64>)>,
}

/// Whether a fenced verb was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fenced {
    /// Carried out.
    Done,
    /// Nothing was changed: the lease is no longer the caller's. The entry was claimed by another, rescheduled, cancelled, or ended.
    Stale,
    /// Nothing was changed: [`MAX_PARKED`] entries are put aside on the shard. Only park answers so; the lease is the caller's still.
    Full,
}

/// An entry as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What was scheduled with it.
    pub body: String,
    /// When it is due; while leased, when the lease ends.
    pub due_ms: u64,
    /// How many attempts have begun.
    pub attempts: u32,
    /// Whether a worker holds it (or held it and died).
    pub leased: bool,
}

/// An entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its identity.
    pub id: String,
    /// The entry.
    pub entry: Entry,
}

/// Counts of one shard of a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Entries nobody holds, due or not.
    pub waiting: u64,
    /// Leased entries, those of dead workers included until they are claimed again.
    pub leased: u64,
    /// Entries put aside.
    pub parked: u64,
    /// How long the first entry is overdue (or its lease has been dead); nothing if none is.
    pub oldest_overdue_ms: Option<u64>,
}

/// An entry put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// Its identity. Several entries of one id may be put aside.
    pub id: String,
    /// Tells it from others of its id: 16 hex digits. Empty for one that was put aside before there were marks.
    pub mark: String,
    /// What was scheduled with it.
    pub body: String,
    /// How many attempts were made.
    pub attempts: u32,
    /// Why it was put aside.
    pub reason: String,
    /// When.
    pub parked_ms: u64,
}

/// What a replay did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// The entry waits again.
    Done,
    /// No entry of that id (and mark) is parked.
    NotParked,
    /// Several entries of that id are parked: say which, by its mark.
    Several,
    /// An entry of that id waits already; the parked one stays where it is.
    Existing,
}
