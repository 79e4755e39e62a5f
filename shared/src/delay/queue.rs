//! The queue, and the verbs of those who schedule and look.

use crate::link::{Call, Link, LinkError, Reply, Script};
use crate::message::{BadValue, Shard};
use crate::naming::Names;

use super::scripts;
use super::types::{Due, Entry, MAX_BODY_BYTES, NewEntry, Scheduled, Stats};

/// Entries in one run of a script: enough to make its fixed cost small, few enough not to hold Redis up (a few milliseconds).
pub(super) const BATCH: usize = 500;

/// One named queue. Cheap to clone.
#[derive(Debug, Clone)]
pub struct DelayQueue {
    pub(super) link: Link,
    names: Names,
    queue: String,
}

impl DelayQueue {
    /// A queue by name: 1 to 40 of `a-z 0-9 -`. It needs no creating.
    pub fn new(link: Link, names: Names, queue: &str) -> Result<Self, BadValue> {
        let allowed = queue
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if queue.is_empty() || queue.len() > 40 || !allowed {
            return Err(BadValue {
                what: "queue name",
                rule: "1 to 40 of a-z, 0-9 and '-'",
            });
        }
        Ok(Self {
            link,
            names,
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

    /// Its name.
    pub fn name(&self) -> &str {
        &self.queue
    }

    /// Keeps an entry until it is due. Its id: 1 to 200 visible ASCII characters; its body at most [`MAX_BODY_BYTES`].
    pub async fn schedule(
        &self,
        shard: Shard,
        id: &str,
        body: &str,
        due: Due,
    ) -> Result<Scheduled, LinkError> {
        check(id, body)?;
        let call = self
            .call(&scripts::SCHEDULE, shard)
            .arg(id)
            .arg(body)
            .arg(due);
        scheduled(&mut self.link.run(call).await?)
    }

    /// Keeps many entries, in one round trip. Answers in the order asked.
    ///
    /// After an error some may have been scheduled: repeat the call.
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
        self.by_shard(
            &scripts::SCHEDULE,
            entries.len(),
            |n| entries[n].shard,
            each,
            scheduled,
        )
        .await
    }

    /// Gives an entry another due time; whoever holds a lease on it has lost it. Answers whether there is such an entry.
    pub async fn reschedule(&self, shard: Shard, id: &str, due: Due) -> Result<bool, LinkError> {
        let call = self.call(&scripts::RESCHEDULE, shard).arg(id).arg(due);
        Ok(self.link.run(call).await?.parse::<u8>()? == 1)
    }

    /// Removes an entry, waiting or leased. Answers whether there was one.
    pub async fn cancel(&self, shard: Shard, id: &str) -> Result<bool, LinkError> {
        let call = self.call(&scripts::CANCEL, shard).arg(id);
        Ok(self.link.run(call).await?.parse::<u8>()? == 1)
    }

    /// Shows an entry.
    pub async fn peek(&self, shard: Shard, id: &str) -> Result<Option<Entry>, LinkError> {
        let mut reply = self
            .link
            .run(self.call(&scripts::PEEK, shard).arg(id))
            .await?;
        if reply.remaining() == 0 {
            return Ok(None);
        }
        let body = reply.word()?;
        let due_ms = reply.parse()?;
        let attempts = reply.parse()?;
        Ok(Some(Entry {
            body,
            due_ms,
            attempts,
            leased: reply.parse::<u8>()? == 1,
        }))
    }

    /// Which of these ids have an entry, waiting or leased, in one round trip. Answers in the order asked.
    pub async fn exist(&self, shard: Shard, ids: &[String]) -> Result<Vec<bool>, LinkError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut scores = redis::cmd("ZMSCORE");
        scores.arg(self.key(shard, "due")).arg(ids);
        let Some(mut reply) = self.link.read("exist", vec![scores]).await?.pop() else {
            return Err(LinkError::Protocol("no answer to ZMSCORE".into()));
        };
        ids.iter().map(|_| Ok(!reply.word()?.is_empty())).collect()
    }

    /// Counts one shard.
    pub async fn stats(&self, shard: Shard) -> Result<Stats, LinkError> {
        stats(&mut self.link.run(self.call(&scripts::STATS, shard)).await?)
    }

    /// Counts many shards together, in one round trip.
    pub async fn totals(&self, shards: &[Shard]) -> Result<Stats, LinkError> {
        let calls = shards
            .iter()
            .map(|shard| self.call(&scripts::STATS, *shard))
            .collect();
        let mut all = Stats::default();
        for reply in self.link.run_all(calls).await? {
            let one = stats(&mut reply?)?;
            all.waiting += one.waiting;
            all.leased += one.leased;
            all.parked += one.parked;
            all.oldest_overdue_ms = all.oldest_overdue_ms.max(one.oldest_overdue_ms);
        }
        Ok(all)
    }

    /// A call of a verb: every script of the queue is given the key of its due times.
    pub(super) fn call(&self, script: &'static Script, shard: Shard) -> Call {
        Call::new(script, &self.key(shard, "due"))
    }

    /// The bodies by id, for the audit of who has an entry.
    pub(crate) fn jobs_key(&self, shard: Shard) -> String {
        self.key(shard, "job")
    }

    /// One of the queue's keys on a shard.
    pub(super) fn key(&self, shard: Shard, part: &str) -> String {
        self.names
            .shard_key(shard, format_args!("delay:{}:{part}", self.queue))
    }

    /// Where the queue's scripts publish that something is due earlier than all before it (`lua/entry.lua` derives the same name).
    pub(super) fn wake_channel(&self, shard: Shard) -> String {
        self.key(shard, "wake")
    }

    /// Runs a verb over many entries: grouped by shard, in batches, in one round trip; answers in the order of the entries.
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
        let mut answers: Vec<Option<T>> = (0..entries).map(|_| None).collect();
        for (batch, reply) in batches.into_iter().zip(replies) {
            let mut reply = reply?;
            for n in batch {
                answers[*n] = Some(read(&mut reply)?);
            }
        }
        let all: Option<Vec<T>> = answers.into_iter().collect();
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

fn stats(reply: &mut Reply) -> Result<Stats, LinkError> {
    let now_ms: u64 = reply.parse()?;
    let waiting = reply.parse()?;
    let leased = reply.parse()?;
    let parked = reply.parse()?;
    let first: Option<u64> = reply.parse_optional()?;
    let oldest_overdue_ms = first.and_then(|due| now_ms.checked_sub(due));
    Ok(Stats {
        waiting,
        leased,
        parked,
        oldest_overdue_ms,
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
