//! Acknowledging, parking, holding and returning entries.

use std::fmt::Display;
use std::time::Duration;

use redis::cmd;
use redis_link::{LinkError, Reply};

use super::reader::GroupReader;
use super::types::Hold;
use crate::{EntryId, scripts};

/// Progress of a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupState {
    /// Entries delivered and not acknowledged.
    pub pending: u64,
    /// Entries not delivered yet; `None` if Redis cannot compute it (entries were deleted from the
    /// middle of the stream).
    pub lag: Option<u64>,
    /// Age of the oldest pending entry.
    pub oldest_pending: Option<Duration>,
    /// The last entry that was delivered.
    pub last_delivered: EntryId,
    /// Entries after [`Self::last_delivered`] that were removed from the stream, by trimming or
    /// deletion, before the group received them. 0 if Redis cannot compute it: before the first
    /// delivery of a group, or while earlier entries remain.
    pub removed: u64,
}

impl GroupReader {
    /// Acknowledges entries, whichever consumer holds them now. Returns how many were pending.
    pub async fn ack(&self, ids: &[EntryId]) -> Result<u64, LinkError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let mut command = cmd("XACK");
        command.arg(&self.key).arg(&self.group).arg(ids);
        self.link.read_one("XACK", command).await?.parse()
    }

    /// Parks entries, each with its reason: moves them to `{stream}-dead` and acknowledges them.
    /// Returns for each, in order, whether it was parked; not if another consumer has taken it
    /// over.
    pub async fn park<R: Display>(&self, entries: &[(EntryId, R)]) -> Result<Vec<bool>, LinkError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.call(&scripts::GROUP_PARK);
        for (id, reason) in entries {
            call.push(*id);
            call.push(reason.to_string());
        }
        let mut reply = self.link.run(call).await?;
        entries
            .iter()
            .map(|_| Ok(reply.parse::<u8>()? == 1))
            .collect()
    }

    /// Restarts the idle time of entries; call it while handling takes long. Returns for each, in
    /// order, whether this consumer still holds it. One that was deleted from the stream meanwhile
    /// counts as held for the last time: this consumer has the only copy.
    pub async fn hold(&self, ids: &[EntryId]) -> Result<Vec<bool>, LinkError> {
        let entries = ids.iter().map(|id| (*id, None)).collect();
        let held = self.hold_all(entries).await?;
        Ok(held.into_iter().map(|held| held != Hold::Gone).collect())
    }

    /// Restarts the idle time of entries, and stores the count of deliveries of each: the consumer
    /// attempts an entry several times.
    pub async fn hold_counted(&self, entries: &[(EntryId, u32)]) -> Result<Vec<Hold>, LinkError> {
        let entries = entries.iter().map(|(id, count)| (*id, Some(*count)));
        self.hold_all(entries.collect()).await
    }

    async fn hold_all(&self, entries: Vec<(EntryId, Option<u32>)>) -> Result<Vec<Hold>, LinkError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.call(&scripts::GROUP_HOLD);
        for (id, deliveries) in &entries {
            call.push(*id);
            call.push(deliveries.map_or_else(String::new, |count| count.to_string()));
        }
        let mut reply = self.link.run(call).await?;
        let held = entries.iter().map(|(id, _)| match reply.parse::<u8>()? {
            1 => Ok(Hold::Held),
            2 => {
                self.alarm_lost(*id);
                Ok(Hold::Deleted)
            }
            _ => Ok(Hold::Gone),
        });
        held.collect()
    }

    /// Leaves the group and returns held entries: other consumers may take them over immediately,
    /// and this delivery does not count. Returns their number.
    pub async fn leave(&self) -> Result<u64, LinkError> {
        let (returned, _) = self.give_back(true).await?;
        Ok(returned)
    }

    /// Returns what an earlier run of a consumer of this name held, for instance one that was
    /// killed: any consumer may take it over immediately. Its delivery counts, since the entry may
    /// have ended that run. Returns the number of entries. Call it before the first read.
    pub async fn return_earlier(&mut self) -> Result<u64, LinkError> {
        let (returned, lost) = self.give_back(false).await?;
        self.counts.lost += lost;
        Ok(returned)
    }

    /// Gives the numbers of entries that were returned, and of those that were deleted from the
    /// stream.
    async fn give_back(&self, undo_delivery: bool) -> Result<(u64, u64), LinkError> {
        let idle_ms = self.settings.idle.as_millis() as u64;
        let call = self.call(&scripts::GROUP_LEAVE).arg(idle_ms);
        let call = call.arg(u8::from(undo_delivery));
        let mut reply = self.link.run(call).await?;
        let returned = reply.parse()?;
        let lost: Vec<EntryId> = reply.rest(Reply::parse)?;
        for id in &lost {
            self.alarm_lost(*id);
        }
        Ok((returned, lost.len() as u64))
    }

    /// A pending entry is gone from the stream.
    pub(super) fn alarm_lost(&self, id: EntryId) {
        tracing::error!(
            alarm = "stream_entries_lost",
            stream = %self.key,
            %id,
            "a pending entry was deleted from the stream before it was handled"
        );
    }

    /// Reads the progress of the group.
    pub async fn state(&self) -> Result<GroupState, LinkError> {
        let mut reply = self.link.run(self.call(&scripts::GROUP_STATE)).await?;
        Ok(GroupState {
            pending: reply.parse()?,
            lag: reply.parse_optional()?,
            oldest_pending: reply.parse_optional()?.map(Duration::from_millis),
            last_delivered: reply.parse()?,
            removed: reply.parse()?,
        })
    }
}
