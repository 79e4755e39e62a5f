//! Taking over the entries of dead consumers.

use redis_link::{LinkError, Reply};
use tokio::time::Instant;

use super::reader::GroupReader;
use super::types::{Delivery, GroupSettings};
use crate::{Entry, EntryId, scripts};

impl GroupReader {
    /// Takes over what other consumers have held for the idle time. [`Self::read`] calls it several
    /// times within the idle time.
    pub async fn take_over(&mut self) -> Result<Vec<Delivery>, LinkError> {
        self.take_over_up_to(self.settings.batch).await
    }

    pub(super) async fn take_over_up_to(&mut self, max: usize) -> Result<Vec<Delivery>, LinkError> {
        let GroupSettings {
            idle,
            max_deliveries,
            forget,
            ..
        } = &self.settings;
        let call = self
            .call(&scripts::GROUP_TAKE_OVER)
            .arg(idle.as_millis() as u64)
            .arg(max)
            .arg(*max_deliveries)
            .arg(self.take_over_from)
            .arg(forget.as_millis() as u64);
        let mut reply = self.link.run(call).await?;
        if reply.remaining() == 0 {
            self.recreate().await?;
            return Ok(Vec::new());
        }
        self.take_over_from = reply.parse()?;
        let parked: Vec<EntryId> = reply.nested()?.rest(Reply::parse)?;
        let lost: Vec<EntryId> = reply.nested()?.rest(Reply::parse)?;
        self.counts.deleted += reply.parse::<u64>()?;
        let entries = reply.rest(|reply| {
            Ok(Delivery {
                deliveries: reply.parse()?,
                entry: Entry::read(reply)?,
            })
        })?;
        if entries.is_empty() && self.take_over_from == EntryId::default() {
            // Complete: four checks within the idle time find a dead consumer's entries early.
            self.take_over_at = Instant::now() + self.settings.idle / 4;
        }
        for id in &parked {
            tracing::error!(
                alarm = "stream_entry_parked",
                stream = %self.key,
                %id,
                "an entry was delivered too often and is parked"
            );
        }
        for id in &lost {
            self.alarm_lost(*id);
        }
        self.counts.parked += parked.len() as u64;
        self.counts.lost += lost.len() as u64;
        self.counts.taken_over += entries.len() as u64;
        Ok(entries)
    }
}
