//! What an operator asks of a queue: what waits, what was put aside and why, and what becomes of that.

use crate::link::{LinkError, Reply};
use crate::message::Shard;

use super::queue::DelayQueue;
use super::scripts;
use super::types::{Due, Entry, Parked, Pending, Replayed};

/// An entry and the shard where it is kept.
pub type OnShard<T> = (Shard, T);

impl DelayQueue {
    /// Entries put aside, the oldest first: at most `limit` (up to 500) after the first `skip`.
    pub async fn parked(
        &self,
        shard: Shard,
        skip: u64,
        limit: u32,
    ) -> Result<Vec<Parked>, LinkError> {
        read_parked(
            &mut self
                .link
                .run(self.call(&scripts::PARKED, shard).arg(skip).arg(limit))
                .await?,
        )
    }

    /// Everything put aside under an id, the oldest first, up to 500: an id may be put aside more than once.
    pub async fn parked_of(&self, shard: Shard, id: &str) -> Result<Vec<Parked>, LinkError> {
        read_parked(
            &mut self
                .link
                .run(self.call(&scripts::PARKED, shard).arg(0).arg(500).arg(id))
                .await?,
        )
    }

    /// The oldest entries put aside on all these shards, at most `limit` (up to 500), in one round trip.
    pub async fn all_parked(
        &self,
        shards: &[Shard],
        limit: u32,
    ) -> Result<Vec<OnShard<Parked>>, LinkError> {
        let calls = shards
            .iter()
            .map(|shard| self.call(&scripts::PARKED, *shard).arg(0).arg(limit));
        let replies = self.link.run_all(calls.collect()).await?;
        merged(shards, replies, limit, read_parked, |parked| {
            parked.parked_ms
        })
    }

    /// Entries that wait or are leased, the earliest due first: at most `limit` (up to 500) after the first `skip`.
    pub async fn pending(
        &self,
        shard: Shard,
        skip: u64,
        limit: u32,
    ) -> Result<Vec<Pending>, LinkError> {
        read_pending(
            &mut self
                .link
                .run(self.call(&scripts::PENDING, shard).arg(skip).arg(limit))
                .await?,
        )
    }

    /// The entries of all these shards that are due first, at most `limit` (up to 500), in one round trip.
    pub async fn all_pending(
        &self,
        shards: &[Shard],
        limit: u32,
    ) -> Result<Vec<OnShard<Pending>>, LinkError> {
        let calls = shards
            .iter()
            .map(|shard| self.call(&scripts::PENDING, *shard).arg(0).arg(limit));
        let replies = self.link.run_all(calls.collect()).await?;
        merged(shards, replies, limit, read_pending, |pending| {
            pending.entry.due_ms
        })
    }

    /// Lets an entry that was put aside wait again, its attempts forgotten. Where several of its id were put aside,
    /// [`DelayQueue::replay_marked`] says which.
    pub async fn replay(&self, shard: Shard, id: &str, due: Due) -> Result<Replayed, LinkError> {
        replayed(
            &mut self
                .link
                .run(self.call(&scripts::REPLAY, shard).arg(id).arg("*").arg(due))
                .await?,
        )
    }

    /// The same for the one with this mark ([`Parked::mark`]).
    pub async fn replay_marked(
        &self,
        shard: Shard,
        id: &str,
        mark: &str,
        due: Due,
    ) -> Result<Replayed, LinkError> {
        replayed(
            &mut self
                .link
                .run(
                    self.call(&scripts::REPLAY, shard)
                        .arg(id)
                        .arg(mark)
                        .arg(due),
                )
                .await?,
        )
    }

    /// Removes an entry that was put aside, for ever. Answers whether there was one of this id and mark.
    pub async fn drop_parked(&self, shard: Shard, id: &str, mark: &str) -> Result<bool, LinkError> {
        let call = self
            .call(&scripts::REPLAY, shard)
            .arg(id)
            .arg(mark)
            .arg("drop");
        Ok(replayed(&mut self.link.run(call).await?)? == Replayed::Done)
    }
}

fn read_parked(reply: &mut Reply) -> Result<Vec<Parked>, LinkError> {
    let mut parked = Vec::with_capacity(reply.remaining() / 6);
    while let Some(id) = reply.next_word()? {
        let (mark, body, attempts, reason) =
            (reply.word()?, reply.word()?, reply.parse()?, reply.word()?);
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

/// The first `limit` of what all shards answered, by time.
fn merged<T>(
    shards: &[Shard],
    replies: Vec<Result<Reply, LinkError>>,
    limit: u32,
    read: impl Fn(&mut Reply) -> Result<Vec<T>, LinkError>,
    time_ms: impl Fn(&T) -> u64,
) -> Result<Vec<OnShard<T>>, LinkError> {
    let mut all = Vec::new();
    for (shard, reply) in shards.iter().zip(replies) {
        all.extend(read(&mut reply?)?.into_iter().map(|one| (*shard, one)));
    }
    all.sort_by_key(|(_, one)| time_ms(one));
    all.truncate(limit as usize);
    Ok(all)
}
