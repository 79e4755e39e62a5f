//! Listing, replaying and dropping entries: the operations of an operator.

use redis_link::{LinkError, Reply};

use super::queue::DelayQueue;
use super::types::{Due, Entry, Parked, Pending, Replayed};
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
        read_parked(&mut self.link.run(call.arg(skip).arg(limit)).await?)
    }

    /// Parked entries of one id, the oldest first, up to 500.
    pub async fn parked_of(
        &self,
        shard: impl Into<Shard>,
        id: &str,
    ) -> Result<Vec<Parked>, LinkError> {
        let call = self.call(&scripts::PARKED, shard.into());
        read_parked(&mut self.link.run(call.arg(0).arg(500).arg(id)).await?)
    }

    /// The oldest parked entries of all these shards, at most `limit` (up to 500), in one round
    /// trip.
    pub async fn all_parked(
        &self,
        shards: &[Shard],
        limit: u32,
    ) -> Result<Vec<(Shard, Parked)>, LinkError> {
        let calls = shards
            .iter()
            .map(|shard| self.call(&scripts::PARKED, *shard).arg(0).arg(limit));
        let replies = self.link.run_all(calls.collect()).await?;
        merge(shards, replies, limit, read_parked, |parked| {
            parked.parked_ms
        })
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
        read_pending(&mut self.link.run(call.arg(skip).arg(limit)).await?)
    }

    /// The entries of all these shards that are due first, at most `limit` (up to 500), in one
    /// round trip.
    pub async fn all_pending(
        &self,
        shards: &[Shard],
        limit: u32,
    ) -> Result<Vec<(Shard, Pending)>, LinkError> {
        let calls = shards
            .iter()
            .map(|shard| self.call(&scripts::PENDING, *shard).arg(0).arg(limit));
        let replies = self.link.run_all(calls.collect()).await?;
        merge(shards, replies, limit, read_pending, |pending| {
            pending.entry.due_ms
        })
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

fn read_parked(reply: &mut Reply) -> Result<Vec<Parked>, LinkError> {
    let mut parked = Vec::with_capacity(reply.remaining() / 6);
    while let Some(id) = reply.next_word()? {
        let mark = reply.word()?;
        let body = reply.word()?;
        let attempts = reply.parse()?;
        let reason = reply.word()?;
        parked.push(Parked {
            id,
            mark,
            body,
            attempts,
            reason,
            parked_ms: reply.parse()?,
        });
    }
    Ok(parked)
}

fn read_pending(reply: &mut Reply) -> Result<Vec<Pending>, LinkError> {
    let mut pending = Vec::with_capacity(reply.remaining() / 5);
    while let Some(id) = reply.next_word()? {
        let body = reply.word()?;
        let due_ms = reply.parse()?;
        let attempts = reply.parse()?;
        pending.push(Pending {
            id,
            entry: Entry {
                body,
                due_ms,
                attempts,
                leased: reply.word()? == "1",
            },
        });
    }
    Ok(pending)
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

/// Merges the replies of all shards by time and cuts them to `limit`.
fn merge<T>(
    shards: &[Shard],
    replies: Vec<Result<Reply, LinkError>>,
    limit: u32,
    read: impl Fn(&mut Reply) -> Result<Vec<T>, LinkError>,
    time_ms: impl Fn(&T) -> u64,
) -> Result<Vec<(Shard, T)>, LinkError> {
    let mut all = Vec::new();
    for (shard, reply) in shards.iter().zip(replies) {
        all.extend(read(&mut reply?)?.into_iter().map(|one| (*shard, one)));
    }
    all.sort_by_key(|(_, one)| time_ms(one));
    all.truncate(limit as usize);
    Ok(all)
}
