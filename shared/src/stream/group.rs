//! Reading as a member of a group: each entry goes to one of its consumers, and comes again until one acknowledges it.

use std::time::Duration;

use redis::{Cmd, Value, cmd};
use tokio::time::Instant;

use crate::link::{Call, Link, LinkError, Reply, Waiting, stream_is_gone};
use crate::naming::Names;
use lambda_batch::Backoff;

use super::entry::{Entry, EntryId};
use super::scripts;

/// Between attempts to read from a Redis that is away.
const BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(50),
    cap: Duration::from_secs(2),
    max_attempts: None,
};
/// How long a consumer that waits in order looks away while another consumer has a batch under way.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// How a consumer reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSettings {
    /// Most entries in one's hands at a time (1 to 1,000).
    pub batch: usize,
    /// How long one read waits at the server for something to come.
    pub block: Duration,
    /// What another consumer has held for so long is taken over: it died. Longer than handling a batch takes.
    pub idle: Duration,
    /// An entry delivered so often and never acknowledged is set aside: it may be what kills its consumers.
    pub max_deliveries: u32,
    /// Consumers that hold nothing and were not heard of for so long are deleted. Longer than `block`.
    pub forget: Duration,
    /// Keep the order: no entry is handed out while any earlier one is unacknowledged, whoever holds it. One batch is then under way
    /// at a time in the whole group, and a dead consumer's holds up the rest until it is taken over.
    pub ordered: bool,
}

/// An entry in a consumer's hands until acknowledged, set aside or given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The entry.
    pub entry: Entry,
    /// How often it was delivered, this time included.
    pub deliveries: u32,
}

/// What a consumer met beside new entries, since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupCounts {
    /// Entries of dead consumers taken over.
    pub taken_over: u64,
    /// Entries set aside because they were delivered too often.
    pub buried: u64,
    /// Pending entries that something else removed from the stream before they were handled. Each raises the alarm `stream_entries_lost`.
    pub lost: u64,
    /// Dead consumers deleted.
    pub deleted: u64,
    /// How often the group had to be made anew. Each raises the alarm `stream_group_recreated`.
    pub recreated: u64,
}

/// A consumer of a group.
#[derive(Debug)]
pub struct GroupReader {
    pub(super) link: Link,
    pub(super) key: String,
    pub(super) group: String,
    pub(super) consumer: String,
    pub(super) settings: GroupSettings,
    waiting: Waiting,
    counts: GroupCounts,
    created: bool,
    /// Where the next take-over goes on, and when.
    take_over_from: EntryId,
    take_over_at: Instant,
    /// The last id delivered to the group, as far as is known: where to wait, in order.
    last: EntryId,
}

/// What an attempt to read came to.
enum Read {
    Entries(Vec<Delivery>),
    NoGroup,
    Busy,
}

impl GroupReader {
    /// A consumer under a name that no other uses. Group and stream are made at the first read.
    pub fn open(
        link: Link,
        names: &Names,
        stream: &str,
        group: &str,
        consumer: &str,
        settings: GroupSettings,
    ) -> Self {
        Self {
            waiting: link.waiting(),
            link,
            key: names.stream(stream),
            group: names.group(group),
            consumer: consumer.to_owned(),
            settings,
            counts: GroupCounts::default(),
            created: false,
            take_over_from: EntryId::default(),
            take_over_at: Instant::now(),
            last: EntryId::default(),
        }
    }

    /// What was met beside new entries.
    pub fn counts(&self) -> GroupCounts {
        self.counts
    }

    /// The next entries: taken over from a dead consumer, or new. Waits for them until `until`; nothing once that has come.
    ///
    /// Outlives whatever befalls Redis: an error is logged, and after a pause the read is tried again. A call that is abandoned may
    /// leave entries in this consumer's name, which are taken over later.
    pub async fn next(&mut self, until: Instant) -> Vec<Delivery> {
        let mut failed = 0;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Vec::new();
            }
            match self.read(self.settings.block.min(left)).await {
                Ok(entries) if entries.is_empty() => failed = 0,
                Ok(entries) => return entries,
                Err(error) => {
                    failed += 1;
                    tracing::warn!(%error, stream = %self.key, group = %self.group, failed, "the stream cannot be read; trying again");
                    let pause = BACKOFF.delay(failed, rand::random()).unwrap_or(BACKOFF.cap);
                    tokio::time::sleep(pause.min(left)).await;
                }
            }
        }
    }

    /// One attempt: what dead consumers left if it is time to look, else what is new, waited for at most `block`. May be nothing.
    pub async fn read(&mut self, block: Duration) -> Result<Vec<Delivery>, LinkError> {
        if !self.created {
            self.create().await?;
        }
        if Instant::now() >= self.take_over_at {
            let entries = self.take_over().await?;
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
        let read = if self.settings.ordered {
            self.read_in_order(block).await?
        } else {
            self.read_new(block).await?
        };
        match read {
            Read::Entries(entries) => return Ok(entries),
            Read::Busy => tokio::time::sleep(BUSY_PAUSE.min(block)).await,
            Read::NoGroup => self.recreate().await?,
        }
        Ok(Vec::new())
    }

    /// Takes over what other consumers have held too long. Normally [`Self::read`] does it, several times within the idle time.
    pub async fn take_over(&mut self) -> Result<Vec<Delivery>, LinkError> {
        let GroupSettings {
            batch,
            idle,
            max_deliveries,
            forget,
            ..
        } = &self.settings;
        let call = self
            .call(&scripts::GROUP_TAKE_OVER)
            .arg(idle.as_millis() as u64)
            .arg(*batch)
            .arg(*max_deliveries);
        let call = call.arg(self.take_over_from).arg(forget.as_millis() as u64);
        let mut reply = self.link.run(call).await?;
        if reply.left() == 0 {
            self.recreate().await?;
            return Ok(Vec::new());
        }
        self.take_over_from = reply.parse()?;
        let buried = ids(&mut reply)?;
        let lost = ids(&mut reply)?;
        self.counts.deleted += reply.parse::<u64>()?;
        let mut entries = Vec::with_capacity(reply.left() / 3);
        while reply.left() > 0 {
            let deliveries = reply.parse()?;
            entries.push(Delivery {
                entry: Entry::read(&mut reply)?,
                deliveries,
            });
        }
        if entries.is_empty() && self.take_over_from == EntryId::default() {
            // Seen to the end: several looks within the idle time find a dead consumer's entries soon after they are due.
            self.take_over_at = Instant::now() + self.settings.idle / 4;
        }
        for id in &buried {
            tracing::error!(alarm = "stream_entry_parked", stream = %self.key, %id, "delivered too often: set aside");
        }
        for id in &lost {
            tracing::error!(alarm = "stream_entries_lost", stream = %self.key, %id, "removed from the stream before it was handled");
        }
        self.counts.buried += buried.len() as u64;
        self.counts.lost += lost.len() as u64;
        self.counts.taken_over += entries.len() as u64;
        Ok(entries)
    }

    async fn create(&mut self) -> Result<(), LinkError> {
        let call = Call::new(&scripts::GROUP_CREATE, &self.key).arg(&self.group);
        self.link.run(call).await?;
        self.created = true;
        Ok(())
    }

    /// Stream or group is gone: somebody deleted it, or Redis lost its data. From the oldest entry on, since nobody knows what was handled.
    async fn recreate(&mut self) -> Result<(), LinkError> {
        self.create().await?;
        (self.take_over_from, self.last) = (EntryId::default(), EntryId::default());
        self.counts.recreated += 1;
        tracing::error!(
            alarm = "stream_group_recreated",
            stream = %self.key,
            group = %self.group,
            "the group was gone and begins anew at the oldest entry"
        );
        Ok(())
    }

    async fn read_new(&mut self, block: Duration) -> Result<Read, LinkError> {
        let mut command = cmd("XREADGROUP");
        command
            .arg("GROUP")
            .arg(&self.group)
            .arg(&self.consumer)
            .arg("COUNT")
            .arg(self.settings.batch);
        command
            .arg("BLOCK")
            .arg(wait_ms(block))
            .arg("STREAMS")
            .arg(&self.key)
            .arg(">");
        let (value, _) = self.waiting.run(command, block, None).await?;
        if let Value::ServerError(error) = &value
            && (error.code() == "NOGROUP" || stream_is_gone(error))
        {
            return Ok(Read::NoGroup);
        }
        let mut streams = Reply::new("XREADGROUP", value)?;
        let mut entries = Vec::new();
        if let Some(mut stream) = streams.next_nested()? {
            let _its_key = stream.bytes();
            let mut list = stream.nested()?;
            while let Some(mut entry) = list.next_nested()? {
                entries.push(Delivery {
                    entry: Entry::read(&mut entry)?,
                    deliveries: 1,
                });
            }
        }
        Ok(Read::Entries(entries))
    }

    async fn read_in_order(&mut self, block: Duration) -> Result<Read, LinkError> {
        let call = self.call(&scripts::GROUP_NEXT).arg(self.settings.batch);
        let mut reply = self.link.run(call).await?;
        let mut answer = reply.next_word()?;
        if answer.as_deref() == Some("NONE") {
            // Nothing to be had: wait behind the last one, and look again in the same round trip.
            self.last = reply.parse()?;
            let wake = wake(&self.key, self.last, block);
            let call = self.call(&scripts::GROUP_NEXT).arg(self.settings.batch);
            let (woken, after) = self.waiting.run(wake, block, Some(call)).await?;
            match woken {
                Value::ServerError(error) if stream_is_gone(&error) => return Ok(Read::NoGroup),
                woken => drop(woken.extract_error()?),
            }
            reply = after.ok_or_else(|| LinkError::Protocol("no answer to a call".into()))?;
            answer = reply.next_word()?;
        }
        match answer.as_deref() {
            None => Ok(Read::NoGroup),
            Some("BUSY") => Ok(Read::Busy),
            Some("NONE") => Ok(Read::Entries(Vec::new())),
            Some("NEW") => {
                let mut entries = Vec::with_capacity(reply.left() / 2);
                while reply.left() > 0 {
                    entries.push(Delivery {
                        entry: Entry::read(&mut reply)?,
                        deliveries: 1,
                    });
                }
                Ok(Read::Entries(entries))
            }
            Some(other) => Err(reply.odd(other)),
        }
    }

    pub(super) fn call(&self, script: &'static crate::link::Script) -> Call {
        Call::new(script, &self.key)
            .arg(&self.group)
            .arg(&self.consumer)
    }
}

/// A read that only waits: until there is an entry behind `id`.
pub(super) fn wake(key: &str, id: EntryId, block: Duration) -> Cmd {
    let mut command = cmd("XREAD");
    command
        .arg("COUNT")
        .arg(1)
        .arg("BLOCK")
        .arg(wait_ms(block))
        .arg("STREAMS")
        .arg(key)
        .arg(id);
    command
}

/// For Redis, 0 means for ever.
fn wait_ms(block: Duration) -> u64 {
    u64::try_from(block.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn ids(reply: &mut Reply) -> Result<Vec<EntryId>, LinkError> {
    let mut list = reply.nested()?;
    let mut ids = Vec::with_capacity(list.left());
    while list.left() > 0 {
        ids.push(list.parse()?);
    }
    Ok(ids)
}
