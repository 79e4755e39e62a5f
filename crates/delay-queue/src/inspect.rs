//! Listing, replaying and dropping entries: the operations of an operator.

use redis_link::{LinkError, Reply, Script};

use super::queue::DelayQueue;
use super::types::{Due, Parked, Pending, Replayed};
use super::{Shard, scripts};

impl DelayQueue {
    /// Parked entries, the oldest first: at most `limit` (up to 500) after the first `skip`.
    pub async fn parked(
        &self,
        shard: impl Into<Shard>,
        skip: u64,
        limit: u32,
    ) -> Result<Vec<Parked>, LinkError> {
        let call = self.call(&scripts::PARKED, shard.into());
        let mut reply = self.link.run(call.arg(skip).arg(limit)).await?;
        reply.rest(Parked::read)
    }

    /// Parked entries of one id, the oldest first, up to 500.
    pub async fn parked_of(
        &self,
        shard: impl Into<Shard>,
        id: &str,
    ) -> Result<Vec<Parked>, LinkError> {
        let call = self.call(&scripts::PARKED, shard.into());
        let mut reply = self.link.run(call.arg(0).arg(500).arg(id)).await?;
        reply.rest(Parked::read)
    }

    /// The oldest parked entries of all these shards, at most `limit` (up to 500), in one round
    /// trip.
    pub async fn all_parked(
        &self,
        shards: &[Shard],
        limit: u32,
    ) -> Result<Vec<(Shard, Parked)>, LinkError> {
        let time_ms = |parked: &Parked| parked.parked_ms;
        self.first_of_all(&scripts::PARKED, shards, limit, Parked::read, time_ms)
            .await
    }

    /// Waiting and leased entries, the earliest due first: at most `limit` (up to 500) after the
    /// first `skip`.
    pub async fn pending(
        &self,
        shard: impl Into<Shard>,
        skip: u64,
        limit: u32,
    ) -> Result<Vec<Pending>, LinkError> {
        let call = self.call(&scripts::PENDING, shard.into());
        let mut reply = self.link.run(call.arg(skip).arg(limit)).await?;
        reply.rest(Pending::read)
    }

    /// The entries of all these shards that are due first, at most `limit` (up to 500), in one
    /// round trip.
    pub async fn all_pending(
        &self,
        shards: &[Shard],
        limit: u32,
    ) -> Result<Vec<(Shard, Pending)>, LinkError> {
        let time_ms = |pending: &Pending| pending.entry.due_ms;
        self.first_of_all(&scripts::PENDING, shards, limit, Pending::read, time_ms)
            .await
    }

    /// Lists the first entries of each shard and of these, by time, the first of all.
    async fn first_of_all<T>(
        &self,
        script: &'static Script,
        shards: &[Shard],
        limit: u32,
        read: fn(&mut Reply) -> Result<T, LinkError>,
        time_ms: fn(&T) -> u64,
    ) -> Result<Vec<(Shard, T)>, LinkError> {
        let calls = shards
            .iter()
            .map(|shard| self.call(script, *shard).arg(0).arg(limit));
        let replies = self.link.run_all(calls.collect()).await?;
        let mut all = Vec::new();
        for (shard, reply) in shards.iter().zip(replies) {
            let entries = reply?.rest(read)?;
            all.extend(entries.into_iter().map(|entry| (*shard, entry)));
        }
        all.sort_by_key(|(_, entry)| time_ms(entry));
        all.truncate(limit as usize);
        Ok(all)
    }

    /// Schedules the only parked entry of an id again, with its attempts reset. Where several are
    /// parked, use [`DelayQueue::replay_marked`].
    pub async fn replay(
        &self,
        shard: impl Into<Shard>,
        id: &str,
        due: Due,
    ) -> Result<Replayed, LinkError> {
        self.replay_marked(shard, id, "*", due).await
    }

    /// The same for the entry with this mark ([`Parked::mark`]).
    pub async fn replay_marked(
        &self,
        shard: impl Into<Shard>,
        id: &str,
        mark: &str,
        due: Due,
    ) -> Result<Replayed, LinkError> {
        let call = self.call(&scripts::REPLAY, shard.into()).arg(id).arg(mark);
        replayed(&mut self.link.run(call.arg(due)).await?)
    }

    /// Deletes a parked entry. Returns whether it existed.
    pub async fn drop_parked(
        &self,
        shard: impl Into<Shard>,
        id: &str,
        mark: &str,
    ) -> Result<bool, LinkError> {
        let call = self.call(&scripts::REPLAY, shard.into()).arg(id).arg(mark);
        Ok(replayed(&mut self.link.run(call.arg("drop")).await?)? == Replayed::Done)
    }
}

fn replayed(reply: &mut Reply) -> Result<Replayed, LinkError> {
    match reply.word()?.as_str() {
        "DONE" => Ok(Replayed::Done),
        "NOTPARKED" => Ok(Replayed::NotParked),
        "SEVERAL" => Ok(Replayed::Several),
        "EXISTS" => Ok(Replayed::Existing),
        other => Err(reply.unexpected(other)),
    }
}
