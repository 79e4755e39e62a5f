//! Reading new entries as a consumer of a group.

use std::time::Duration;

use redis::streams::StreamReadOptions;
use redis::{Cmd, Value};
use redis_link::{BlockingConnection, Call, Link, LinkError, Reply, Script, is_stream_deleted};
use tokio::time::Instant;

use super::types::{Delivery, GroupCounts, GroupSettings};
use crate::{EntryId, scripts};

/// Bounds of the pause after a failed read.
const MIN_PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(2);
/// Pause of an ordered consumer while another consumer has a batch in flight.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// A consumer of a group.
#[derive(Debug)]
pub struct GroupReader {
    pub(super) link: Link,
    pub(super) key: String,
    pub(super) group: String,
    pub(super) consumer: String,
    pub(super) settings: GroupSettings,
    blocking: BlockingConnection,
    pub(super) counts: GroupCounts,
    created: bool,
    /// Where the next take-over continues, and when.
    pub(super) take_over_from: EntryId,
    pub(super) take_over_at: Instant,
    /// The last id delivered to the group as far as known. An ordered consumer waits behind it.
    last_delivered: EntryId,
}

/// The result of one attempt to read.
enum Read {
    Entries(Vec<Delivery>),
    NoGroup,
    /// Another consumer of an ordered group has a batch in flight.
    Busy,
}

impl GroupReader {
    /// A consumer of the stream with this key; its name must be unique in the group. The first read
    /// creates the group, and the stream if it is missing. A group begins at the oldest entry.
    pub fn open(
        link: Link,
        key: &str,
        group: &str,
        consumer: &str,
        settings: GroupSettings,
    ) -> Self {
        Self {
            blocking: link.blocking(),
            link,
            key: key.to_owned(),
            group: group.to_owned(),
            consumer: consumer.to_owned(),
            settings,
            counts: GroupCounts::default(),
            created: false,
            take_over_from: EntryId::default(),
            take_over_at: Instant::now(),
            last_delivered: EntryId::default(),
        }
    }

    /// Events since this consumer was opened.
    pub fn counts(&self) -> GroupCounts {
        self.counts
    }

    /// The next entries, new or taken over; empty when `until` has passed.
    ///
    /// While Redis is down it logs the error, pauses and reads again. When this future is dropped,
    /// entries may stay pending for this consumer; they are taken over later.
    pub async fn next(&mut self, until: Instant) -> Vec<Delivery> {
        let mut failures = 0;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Vec::new();
            }
            match self.read(self.settings.block.min(left)).await {
                Ok(entries) if entries.is_empty() => failures = 0,
                Ok(entries) => return entries,
                Err(error) => {
                    failures += 1;
                    tracing::warn!(
                        %error,
                        stream = %self.key,
                        group = %self.group,
                        failures,
                        "reading the stream failed; it is repeated"
                    );
                    tokio::time::sleep(retry_pause(failures).min(left)).await;
                }
            }
        }
    }

    /// One attempt: first entries of dead consumers, if a take-over is due; else new entries,
    /// waiting at most `block`. May be empty.
    pub async fn read(&mut self, block: Duration) -> Result<Vec<Delivery>, LinkError> {
        self.read_up_to(self.settings.batch, block).await
    }

    /// As [`Self::read`], with at most `max` entries in place of [`GroupSettings::batch`].
    pub async fn read_up_to(
        &mut self,
        max: usize,
        block: Duration,
    ) -> Result<Vec<Delivery>, LinkError> {
        if !self.created {
            self.create().await?;
        }
        if Instant::now() >= self.take_over_at {
            let entries = self.take_over_up_to(max).await?;
            if !entries.is_empty() {
                return Ok(entries);
            }
        }
        let read = if self.settings.ordered {
            self.read_in_order(max, block).await?
        } else {
            self.read_new(max, block).await?
        };
        match read {
            Read::Entries(entries) => return Ok(entries),
            Read::Busy => tokio::time::sleep(BUSY_PAUSE.min(block)).await,
            Read::NoGroup => self.recreate().await?,
        }
        Ok(Vec::new())
    }

    async fn create(&mut self) -> Result<(), LinkError> {
        let call = Call::new(&scripts::GROUP_CREATE, &self.key).arg(&self.group);
        self.link.run(call).await?;
        self.created = true;
        Ok(())
    }

    /// Creates a missing group again: it was deleted, or Redis lost its data. It begins at the
    /// oldest entry, because the acknowledgements are lost as well.
    pub(super) async fn recreate(&mut self) -> Result<(), LinkError> {
        self.create().await?;
        self.take_over_from = EntryId::default();
        self.last_delivered = EntryId::default();
        self.counts.recreated += 1;
        tracing::error!(
            alarm = "stream_group_recreated",
            stream = %self.key,
            group = %self.group,
            "the group was missing; it is created again and begins at the oldest entry"
        );
        Ok(())
    }

    async fn read_new(&mut self, max: usize, block: Duration) -> Result<Read, LinkError> {
        let options = StreamReadOptions::default()
            .group(&self.group, &self.consumer)
            .count(max)
            .block(block_ms(block));
        let command = Cmd::xread_options(&[&self.key], &[">"], &options);
        let (value, _) = self.blocking.run(command, block, None).await?;
        if let Value::ServerError(error) = &value
            && (error.code() == "NOGROUP" || is_stream_deleted(error))
        {
            return Ok(Read::NoGroup);
        }
        let mut streams = Reply::new("XREADGROUP", value)?;
        if streams.remaining() == 0 {
            return Ok(Read::Entries(Vec::new()));
        }
        let mut stream = streams.nested()?;
        let _key = stream.bytes();
        let entry = |list: &mut Reply| Delivery::first(&mut list.nested()?);
        Ok(Read::Entries(stream.nested()?.rest(entry)?))
    }

    async fn read_in_order(&mut self, max: usize, block: Duration) -> Result<Read, LinkError> {
        let call = self.call(&scripts::GROUP_NEXT).arg(max);
        let mut reply = self.link.run(call.clone()).await?;
        let mut answer = reply.next_word()?;
        if answer.as_deref() == Some("NONE") {
            // Wait behind the last entry, and run the script again in the same round trip.
            self.last_delivered = reply.parse()?;
            let wait = wait_for_entry(&self.key, self.last_delivered, block);
            let (waited, after) = self.blocking.run(wait, block, Some(call)).await?;
            if matches!(&waited, Value::ServerError(error) if is_stream_deleted(error)) {
                return Ok(Read::NoGroup);
            }
            waited.extract_error()?;
            reply = after.ok_or_else(|| LinkError::no_answer("a call"))?;
            answer = reply.next_word()?;
        }
        match answer.as_deref() {
            None => Ok(Read::NoGroup),
            Some("BUSY") => Ok(Read::Busy),
            Some("NONE") => Ok(Read::Entries(Vec::new())),
            Some("NEW") => Ok(Read::Entries(reply.rest(Delivery::first)?)),
            Some(other) => Err(reply.unexpected(other)),
        }
    }

    pub(super) fn call(&self, script: &'static Script) -> Call {
        Call::new(script, &self.key)
            .arg(&self.group)
            .arg(&self.consumer)
    }
}

/// Exponential with full jitter.
fn retry_pause(failures: u32) -> Duration {
    let ceiling = MIN_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(10));
    ceiling.min(MAX_PAUSE).mul_f64(rand::random())
}

/// A blocking read that returns when there is an entry after `id`.
pub(crate) fn wait_for_entry(key: &str, id: EntryId, block: Duration) -> Cmd {
    let options = StreamReadOptions::default();
    Cmd::xread_options(&[key], &[id], &options.count(1).block(block_ms(block)))
}

/// At least 1: for Redis, 0 means forever.
fn block_ms(block: Duration) -> usize {
    let ms = usize::try_from(block.as_millis());
    ms.unwrap_or(usize::MAX).max(1)
}
