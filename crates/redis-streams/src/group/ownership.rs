//! Acknowledging, parking, holding and returning entries.

use std::fmt::Display;
use std::time::Duration;

use redis::cmd;
use redis_link::{Call, LinkError};

use super::reader::GroupReader;
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
        self.flags(call, entries.len()).await
    }

    /// Restarts the idle time of entries; call it while handling takes long. Returns for each, in
    /// order, whether this consumer still holds it.
    pub async fn hold(&self, ids: &[EntryId]) -> Result<Vec<bool>, LinkError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.call(&scripts::GROUP_HOLD);
        for id in ids {
            call.push(*id);
            call.push("");
        }
        self.flags(call, ids.len()).await
    }

    /// As [`Self::hold`], and stores the count of deliveries of each: the consumer attempts an
    /// entry several times.
    pub async fn hold_counted(&self, entries: &[(EntryId, u32)]) -> Result<Vec<bool>, LinkError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.call(&scripts::GROUP_HOLD);
        for (id, deliveries) in entries {
            call.push(*id);
            call.push(*deliveries);
        }
        self.flags(call, entries.len()).await
    }

    /// Leaves the group and returns held entries: other consumers may take them over immediately,
    /// and this delivery does not count. Returns their number.
    pub async fn leave(&self) -> Result<u64, LinkError> {
        self.give_back(true).await
    }

    /// Returns what an earlier run of a consumer of this name held, for instance one that was
    /// killed: any consumer may take it over immediately. Its delivery counts, since the entry may
    /// have ended that run. Returns the number of entries. Call it before the first read.
    pub async fn return_earlier(&self) -> Result<u64, LinkError> {
        self.give_back(false).await
    }

    async fn give_back(&self, undo_delivery: bool) -> Result<u64, LinkError> {
        let idle_ms = self.settings.idle.as_millis() as u64;
        let call = self.call(&scripts::GROUP_LEAVE).arg(idle_ms);
        let call = call.arg(u8::from(undo_delivery));
        self.link.run(call).await?.parse()
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

    async fn flags(&self, call: Call, entries: usize) -> Result<Vec<bool>, LinkError> {
        let mut reply = self.link.run(call).await?;
        (0..entries)
            .map(|_| Ok(reply.parse::<u8>()? == 1))
            .collect()
    }
}
