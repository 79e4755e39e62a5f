//! Leases: claim, then ack, extend, retry or park under the token of the lease.

use std::borrow::Borrow;
use std::fmt::Write as _;

use redis::ToRedisArgs;
use redis_link::{LinkError, Reply, Script};

use super::queue::{BATCH, DelayQueue};
use super::types::{Claim, Claimed, Fenced};
use super::{Shard, scripts};

impl DelayQueue {
    /// Leases what is due in these shards, at most `limit` entries in all, for `lease_ms`.
    ///
    /// The first round trip claims an equal share from each shard; later ones claim the rest from
    /// the shards that have more. After an error some entries may be leased without a holder: they
    /// are due again when their lease ends.
    pub async fn claim(
        &self,
        shards: &[Shard],
        limit: usize,
        lease_ms: u64,
    ) -> Result<Claimed, LinkError> {
        let mut all = Claimed::default();
        let mut open = shards.to_vec();
        // A random start: with more shards than entries to claim, no shard starves.
        if !open.is_empty() {
            let start = rand::random_range(0..open.len());
            open.rotate_left(start);
        }
        while !open.is_empty() && all.claims.len() < limit {
            let left = limit - all.claims.len();
            let later = open.split_off(open.len().min(left));
            let token = token();
            let share =
                |n: usize| (left / open.len() + usize::from(n < left % open.len())).min(BATCH);
            let calls = open.iter().enumerate().map(|(n, shard)| {
                self.call(&scripts::CLAIM, *shard)
                    .arg(share(n))
                    .arg(lease_ms)
                    .arg(&token)
            });
            let replies = self.link.run_all(calls.collect()).await?;
            let mut more = later;
            for (n, reply) in replies.into_iter().enumerate() {
                let shard = open[n];
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
            open = more;
        }
        all.next_due_ms = all.next.iter().filter_map(|(_, due)| *due).min();
        Ok(all)
    }

    /// Removes an entry that is done.
    pub async fn ack(&self, claim: &Claim) -> Result<Fenced, LinkError> {
        one(self.ack_many(std::slice::from_ref(claim)).await?)
    }

    /// Removes many entries that are done, in one round trip. Results are in the order of the
    /// claims.
    pub async fn ack_many(&self, claims: &[Claim]) -> Result<Vec<Fenced>, LinkError> {
        self.fenced(&scripts::ACK, claims, |_| None::<u64>).await
    }

    /// Moves the end of a lease to `lease_ms` from now.
    pub async fn extend(&self, claim: &Claim, lease_ms: u64) -> Result<Fenced, LinkError> {
        one(self
            .extend_many(std::slice::from_ref(claim), lease_ms)
            .await?)
    }

    /// Moves the ends of many leases, in one round trip. Results are in the order of the claims.
    pub async fn extend_many(
        &self,
        claims: &[Claim],
        lease_ms: u64,
    ) -> Result<Vec<Fenced>, LinkError> {
        self.fenced(&scripts::EXTEND, claims, |_| Some(lease_ms))
            .await
    }

    /// Returns an entry: it is due again after `pause_ms` and keeps its attempts.
    pub async fn retry(&self, claim: &Claim, pause_ms: u64) -> Result<Fenced, LinkError> {
        one(self
            .fenced(&scripts::RETRY, std::slice::from_ref(claim), |_| {
                Some(pause_ms)
            })
            .await?)
    }

    /// Returns many entries, each with its own pause, in one round trip. Results are in the order
    /// of the claims.
    pub async fn retry_many(
        &self,
        claims: &[Claim],
        pause_ms: impl Fn(&Claim) -> u64,
    ) -> Result<Vec<Fenced>, LinkError> {
        self.fenced(&scripts::RETRY, claims, |n| Some(pause_ms(&claims[n])))
            .await
    }

    /// Parks an entry with its body, also if others of its id are parked.
    pub async fn park(&self, claim: &Claim, reason: &str) -> Result<Fenced, LinkError> {
        one(self
            .fenced(&scripts::PARK, std::slice::from_ref(claim), |_| {
                Some(reason)
            })
            .await?)
    }

    /// Parks many entries, each with its own reason, in one round trip. Results are in the order of
    /// the claims.
    pub async fn park_many(
        &self,
        claims: &[Claim],
        reason: impl Fn(&Claim) -> String,
    ) -> Result<Vec<Fenced>, LinkError> {
        self.fenced(&scripts::PARK, claims, |n| Some(reason(&claims[n])))
            .await
    }

    /// Runs a fenced script over many claims: id, token, and the `extra` argument of the script.
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

/// Adds the claims of one shard; returns the earliest due time of its other entries.
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

/// Random, because a counter could repeat after a cancel or a failover.
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
