//! Scheduling, changing and counting entries.

use redis_link::{Call, InvalidArgument, Link, LinkError, Reply, Script};

use super::types::{Due, Entry, MAX_BODY_BYTES, NewEntry, Scheduled, Stats};
use super::{Shard, scripts};

/// Entries for one run of a script. It blocks Redis for a few milliseconds at most.
pub(super) const BATCH: usize = 500;

/// A named queue. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DelayQueue {
    pub(super) link: Link,
    prefix: String,
    queue: String,
}

impl DelayQueue {
    /// The queue `queue` (1 to 40 of `a-z 0-9 -`), its keys under `prefix` (1 to 100 visible ASCII
    /// characters without braces, e.g. the name of the environment). It exists as soon as it has an
    /// entry.
    pub fn new(link: Link, prefix: &str, queue: &str) -> Result<Self, InvalidArgument> {
        let in_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let holds = (1..=40).contains(&queue.len()) && queue.bytes().all(in_name);
        InvalidArgument::unless(holds, "queue name", "1 to 40 of a-z, 0-9 and '-'")?;
        let in_prefix = |b: u8| b.is_ascii_graphic() && b != b'{' && b != b'}';
        let holds = (1..=100).contains(&prefix.len()) && prefix.bytes().all(in_prefix);
        let rule = "1 to 100 visible ASCII characters without braces";
        InvalidArgument::unless(holds, "key prefix", rule)?;
        Ok(Self {
            link,
            prefix: prefix.to_owned(),
            queue: queue.to_owned(),
        })
    }

    /// The same queue over another connection.
    #[must_use]
    pub fn over(&self, link: Link) -> Self {
        Self {
            link,
            ..self.clone()
        }
    }

    /// The name without the prefix.
    pub fn name(&self) -> &str {
        &self.queue
    }

    /// Stores an entry until it is due; see [`NewEntry`] for the bounds.
    pub async fn schedule(
        &self,
        shard: impl Into<Shard>,
        id: &str,
        body: &str,
        due: Due,
    ) -> Result<Scheduled, LinkError> {
        check(id, body)?;
        let call = self.call(&scripts::SCHEDULE, shard.into());
        scheduled(&mut self.link.run(call.arg(id).arg(body).arg(due)).await?)
    }

    /// Stores many entries in one round trip. Results are in the order of the entries.
    ///
    /// After an error some entries may have been stored: repeat the call.
    pub async fn schedule_many(&self, entries: &[NewEntry]) -> Result<Vec<Scheduled>, LinkError> {
        for entry in entries {
            check(&entry.id, &entry.body)?;
        }
        let each = |call: &mut Call, n: usize| {
            let NewEntry { id, body, due, .. } = &entries[n];
            call.push(id);
            call.push(body);
            call.push(due);
        };
        let shard = |n: usize| entries[n].shard;
        self.by_shard(&scripts::SCHEDULE, entries.len(), shard, each, scheduled)
            .await
    }

    /// Changes the due time of an entry, revokes its lease and resets its attempts. Returns whether
    /// the entry exists.
    pub async fn reschedule(
        &self,
        shard: impl Into<Shard>,
        id: &str,
        due: Due,
    ) -> Result<bool, LinkError> {
        let call = self.call(&scripts::RESCHEDULE, shard.into());
        Ok(self.link.run(call.arg(id).arg(due)).await?.parse::<u8>()? == 1)
    }

    /// Removes an entry, waiting or leased. Returns whether it existed.
    pub async fn cancel(&self, shard: impl Into<Shard>, id: &str) -> Result<bool, LinkError> {
        let call = self.call(&scripts::CANCEL, shard.into()).arg(id);
        Ok(self.link.run(call).await?.parse::<u8>()? == 1)
    }

    /// Reads an entry.
    pub async fn peek(
        &self,
        shard: impl Into<Shard>,
        id: &str,
    ) -> Result<Option<Entry>, LinkError> {
        let call = self.call(&scripts::PEEK, shard.into()).arg(id);
        let mut reply = self.link.run(call).await?;
        if reply.remaining() == 0 {
            return Ok(None);
        }
        Entry::read(&mut reply).map(Some)
    }

    /// Which of these ids have an entry, waiting or leased, in one round trip. Results are in the
    /// order of the ids.
    pub async fn exist(
        &self,
        shard: impl Into<Shard>,
        ids: &[String],
    ) -> Result<Vec<bool>, LinkError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut scores = redis::cmd("ZMSCORE");
        scores.arg(self.key(shard.into(), "due")).arg(ids);
        let mut reply = self.link.read_one("ZMSCORE", scores).await?;
        ids.iter().map(|_| Ok(!reply.word()?.is_empty())).collect()
    }

    /// Counts the entries of one shard.
    pub async fn stats(&self, shard: impl Into<Shard>) -> Result<Stats, LinkError> {
        let call = self.call(&scripts::STATS, shard.into());
        Stats::read(&mut self.link.run(call).await?)
    }

    /// Counts the entries of many shards together, in one round trip.
    pub async fn totals(&self, shards: &[Shard]) -> Result<Stats, LinkError> {
        let calls = shards
            .iter()
            .map(|shard| self.call(&scripts::STATS, *shard))
            .collect();
        let mut all = Stats::default();
        for reply in self.link.run_all(calls).await? {
            let one = Stats::read(&mut reply?)?;
            all.waiting += one.waiting;
            all.leased += one.leased;
            all.parked += one.parked;
            all.oldest_overdue_ms = all.oldest_overdue_ms.max(one.oldest_overdue_ms);
        }
        Ok(all)
    }

    /// The key of the hash id -> body, for scripts that compare their data with the entries.
    pub fn bodies_key(&self, shard: impl Into<Shard>) -> String {
        self.key(shard.into(), "job")
    }

    /// A call of one of the queue's scripts: each gets the key of the due times.
    pub(super) fn call(&self, script: &'static Script, shard: Shard) -> Call {
        Call::new(script, &self.key(shard, "due"))
    }

    fn key(&self, shard: Shard, part: &str) -> String {
        format!("{}:{{{shard}}}:delay:{}:{part}", self.prefix, self.queue)
    }

    /// The channel on which scripts publish a new earliest due time (`lua/entry.lua` derives the
    /// same name).
    pub(super) fn wake_channel(&self, shard: Shard) -> String {
        self.key(shard, "wake")
    }

    /// Runs a script over many entries in one round trip: grouped by shard, in batches. Results are
    /// in the order of the entries.
    pub(super) async fn by_shard<T>(
        &self,
        script: &'static Script,
        entries: usize,
        shard_of: impl Fn(usize) -> Shard,
        add: impl Fn(&mut Call, usize),
        read: impl Fn(&mut Reply) -> Result<T, LinkError>,
    ) -> Result<Vec<T>, LinkError> {
        let mut order: Vec<usize> = (0..entries).collect();
        order.sort_by_key(|n| shard_of(*n));
        let batches: Vec<&[usize]> = order
            .chunk_by(|a, b| shard_of(*a) == shard_of(*b))
            .flat_map(|shard| shard.chunks(BATCH))
            .collect();
        let calls = batches.iter().map(|batch| {
            let mut call = self.call(script, shard_of(batch[0]));
            batch.iter().for_each(|n| add(&mut call, *n));
            call
        });
        let replies = self.link.run_all(calls.collect()).await?;
        let mut results: Vec<Option<T>> = (0..entries).map(|_| None).collect();
        for (batch, reply) in batches.into_iter().zip(replies) {
            let mut reply = reply?;
            for n in batch {
                results[*n] = Some(read(&mut reply)?);
            }
        }
        let all: Option<Vec<T>> = results.into_iter().collect();
        all.ok_or_else(|| LinkError::Protocol("fewer answers than calls".into()))
    }
}

fn scheduled(reply: &mut Reply) -> Result<Scheduled, LinkError> {
    Ok(if reply.parse::<u8>()? == 1 {
        Scheduled::New
    } else {
        Scheduled::Existing
    })
}

fn check(id: &str, body: &str) -> Result<(), LinkError> {
    if id.is_empty() || id.len() > 200 || !id.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(LinkError::Protocol(format!(
            "the id {id:?} of a delay entry must be 1 to 200 visible ASCII characters"
        )));
    }
    if body.len() > MAX_BODY_BYTES {
        return Err(LinkError::Protocol(format!(
            "the body of delay entry {id} has {} bytes, more than {MAX_BODY_BYTES}",
            body.len()
        )));
    }
    Ok(())
}
