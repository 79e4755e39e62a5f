//! What a consumer does with the entries in its hands.

use std::time::Duration;

use redis::cmd;

use crate::link::{Call, LinkError, Reply};
use lambda_batch::Reason;

use super::entry::EntryId;
use super::group::GroupReader;
use super::scripts;

/// How far a group is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupState {
    /// Entries delivered and not acknowledged.
    pub pending: u64,
    /// Entries not delivered yet; nothing where Redis cannot tell (entries were deleted from the middle).
    pub lag: Option<u64>,
    /// Age of the oldest pending entry.
    pub oldest_pending: Option<Duration>,
}

impl GroupReader {
    /// Acknowledges entries that were handled, whoever holds them by now. Answers how many were pending.
    pub async fn ack(&self, ids: &[EntryId]) -> Result<u64, LinkError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let mut command = cmd("XACK");
        command.arg(&self.key).arg(&self.group).arg(ids);
        let mut replies = self.link.read("XACK", vec![command]).await?;
        replies
            .pop()
            .ok_or_else(|| LinkError::Protocol("no answer to XACK".into()))?
            .parse()
    }

    /// Sets entries aside that nobody can handle, each with the reason, for a person to look at: into `{stream}-dead`, and
    /// acknowledged. Answers in the order asked whether it was done; not if another consumer has taken the entry over.
    pub async fn bury(&self, entries: &[(EntryId, Reason)]) -> Result<Vec<bool>, LinkError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.call(&scripts::GROUP_BURY);
        for (id, reason) in entries {
            call.push(*id);
            call.push(reason.as_str());
        }
        self.flags(call, entries.len()).await
    }

    /// Goes on holding entries: others do not take them over for another idle time. Answers in the order asked whether they are still
    /// this consumer's. To be called while handling takes long.
    pub async fn hold(&self, ids: &[EntryId]) -> Result<Vec<bool>, LinkError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let call = self.call(&scripts::GROUP_HOLD).arg(ids);
        self.flags(call, ids.len()).await
    }

    /// Leaves the group. What is still held is given back: others may take it over at once, and this delivery does not count.
    /// Answers how many entries that were.
    pub async fn leave(&self) -> Result<u64, LinkError> {
        let call = self
            .call(&scripts::GROUP_LEAVE)
            .arg(self.settings.idle.as_millis() as u64);
        self.link.run(call).await?.parse()
    }

    /// How far the group is.
    pub async fn state(&self) -> Result<GroupState, LinkError> {
        let mut reply = self.link.run(self.call(&scripts::GROUP_STATE)).await?;
        let pending = reply.parse()?;
        let lag = reply.parse_some()?;
        Ok(GroupState {
            pending,
            lag,
            oldest_pending: reply.parse_some()?.map(Duration::from_millis),
        })
    }

    async fn flags(&self, call: Call, asked: usize) -> Result<Vec<bool>, LinkError> {
        let mut reply: Reply = self.link.run(call).await?;
        (0..asked).map(|_| Ok(reply.parse::<u8>()? == 1)).collect()
    }
}
