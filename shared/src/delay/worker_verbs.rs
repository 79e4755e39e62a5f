//! The verbs of those who handle entries: claim, then ack, extend, retry or park under the lease's token.

use std::borrow::Borrow;
use std::fmt::Write as _;

use redis::ToRedisArgs;

use crate::link::{LinkError, Reply, Script};
use crate::message::Shard;

use super::queue::{BATCH, DelayQueue};
use super::scripts;
use super::types::{Claim, Claimed, Fenced};

impl DelayQueue {
    /// Leases what is due in these shards, at most `limit` entries in all, for `lease_ms`.
    ///
    /// One round trip asks every shard for its share of the limit; what some shards leave unused is then offered to those that
    /// have more, in another. After an error some entries may be leased to nobody: they are due again when their lease ends.
    pub async fn claim(
        &self,
        shards: &[Shard],
        limit: usize,
        lease_ms: u64,
    ) -> Result<Claimed, LinkError> {
        let mut all = Claimed::default();
        let mut asked = shards.to_vec();
        // Where more shards are asked than entries are wanted, chance decides which come first, so that none waits for ever.
        if !asked.is_empty() {
            let start = rand::random_range(0..asked.len());
            asked.rotate_left(start);
        }
        while !asked.is_empty() && all.claims.len() < limit {
            let left = limit - all.claims.len();
            let later = asked.split_off(asked.len().min(left));
            let token = token();
            // Everybody gets the share rounded down, the first ones one more.
            let share =
                |n: usize| (left / asked.len() + usize::from(n < left % asked.len())).min(BATCH);
            let calls = asked.iter().enumerate().map(|(n, shard)| {
                self.call(&scripts::CLAIM, *shard)
                    .arg(share(n))
                    .arg(lease_ms)
                    .arg(&token)
            });
            let replies = self.link.run_all(calls.collect()).await?;
            let mut more = later;
            for (n, reply) in replies.into_iter().enumerate() {
                let shard = asked[n];
                let before = all.claims.len();
                let next = read_claims(&mut reply?, shard, &token, &mut all)?;
                all.next.retain(|(of, _)| *of != shard);
                all.next.push((shard, next));
                if all.claims.len() - before == share(n)
                    && next.is_some_and(|due| due <= all.now_ms)
                {
                    more.push(shard);
                }
            }
            asked = more;
        }
        all.next_due_ms = all.next.iter().filter_map(|(_, due)| *due).min();
        Ok(all)
    }

    /// Ends an entry that is done.
    pub async fn ack(&self, claim: &Claim) -> Result<Fenced, LinkError> {
        one(self.ack_many(std::slice::from_ref(claim)).await?)
    }

    /// Ends many entries, in one round trip. Answers in the order asked.
    pub async fn ack_many(&self, claims: &[Claim]) -> Result<Vec<Fenced>, LinkError> {
        self.fenced(&scripts::ACK, claims, |_| None::<u64>).await
    }

    /// Lengthens a lease: it ends `lease_ms` from now.
    pub async fn extend(&self, claim: &Claim, lease_ms: u64) -> Result<Fenced, LinkError> {
        one(self
            .extend_many(std::slice::from_ref(claim), lease_ms)
            .await?)
    }

    /// Lengthens many leases, in one round trip. Answers in the order asked.
    pub async fn extend_many(
        &self,
        claims: &[Claim],
        lease_ms: u64,
    ) -> Result<Vec<Fenced>, LinkError> {
        self.fenced(&scripts::EXTEND, claims, |_| Some(lease_ms))
            .await
    }

    /// Gives an entry back: due again after `pause_ms`, its attempts remembered.
    pub async fn retry(&self, claim: &Claim, pause_ms: u64) -> Result<Fenced, LinkError> {
        one(self
            .fenced(&scripts::RETRY, std::slice::from_ref(claim), |_| {
                Some(pause_ms)
            })
            .await?)
    }

    /// Gives many entries back, each with a pause of its own, in one round trip. Answers in the order asked.
    pub async fn retry_many(
        &self,
        claims: &[Claim],
        pause_ms: impl Fn(&Claim) -> u64,
    ) -> Result<Vec<Fenced>, LinkError> {
        self.fenced(&scripts::RETRY, claims, |n| Some(pause_ms(&claims[n])))
            .await
    }

    /// Puts an entry aside for an operator to look at. Its body is kept also if others of its id are aside.
    pub async fn park(&self, claim: &Claim, reason: &str) -> Result<Fenced, LinkError> {
        one(self
            .fenced(&scripts::PARK, std::slice::from_ref(claim), |_| {
                Some(reason)
            })
            .await?)
    }

    /// Puts many entries aside, each for a reason of its own, in one round trip. Answers in the order asked.
    pub async fn park_many(
        &self,
        claims: &[Claim],
        reason: impl Fn(&Claim) -> String,
    ) -> Result<Vec<Fenced>, LinkError> {
        self.fenced(&scripts::PARK, claims, |n| Some(reason(&claims[n])))
            .await
    }

    /// A fenced verb over many claims: id, token, and what the verb needs besides.
    pub(super) async fn fenced<A: ToRedisArgs>(
        &self,
        script: &'static Script,
        claims: &[impl Borrow<Claim>],
        extra: impl Fn(usize) -> Option<A>,
    ) -> Result<Vec<Fenced>, LinkError> {
        let read = |reply: &mut Reply| match reply.parse::<u8>()? {
            1 => Ok(Fenced::Done),
            2 => Ok(Fenced::Full),
            _ => Ok(Fenced::Stale),
        };
        let claim = |n: usize| -> &Claim { claims[n].borrow() };
        let shard_of = |n: usize| claim(n).shard;
        self.by_shard(
            script,
            claims.len(),
            shard_of,
            |call, n| {
                call.push(&claim(n).id);
                call.push(&claim(n).token);
                if let Some(extra) = extra(n) {
                    call.push(extra);
                }
            },
            read,
        )
        .await
    }
}

/// Adds what one shard answered; gives the earliest due time of what it did not hand out.
fn read_claims(
    reply: &mut Reply,
    shard: Shard,
    token: &str,
    into: &mut Claimed,
) -> Result<Option<u64>, LinkError> {
    into.now_us = into.now_us.max(reply.parse()?);
    into.now_ms = into.now_us / 1000;
    let next = reply.parse_optional()?;
    while let Some(id) = reply.next_word()? {
        let body = reply.word()?;
        let attempt = reply.parse()?;
        let due_ms = reply.parse()?;
        into.claims.push(Claim {
            shard,
            id,
            body,
            token: token.to_owned(),
            attempt,
            due_ms,
        });
    }
    Ok(next)
}

/// 128 random bits: a counter could repeat after a cancel or a failover.
fn token() -> String {
    let mut text = String::with_capacity(32);
    let _ = write!(text, "{:032x}", rand::random::<u128>());
    text
}

fn one(answers: Vec<Fenced>) -> Result<Fenced, LinkError> {
    answers
        .into_iter()
        .next()
        .ok_or_else(|| LinkError::Protocol("no answer to a call".into()))
}
