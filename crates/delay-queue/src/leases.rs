//! Leases: claim, then ack, extend, retry or park under the token of the lease.

use redis::ToRedisArgs;
use redis_link::{Call, LinkError, Reply, Script};

use super::queue::{BATCH, DelayQueue};
use super::types::{Claim, Claimed, Fenced};
use super::{Shard, scripts};

/// A script without a last argument.
const NONE: Option<u64> = None;

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
            // random, because a counter could repeat after a cancel or a failover
            let token = format!("{:032x}", rand::random::<u128>());
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
        self.fenced_one(&scripts::ACK, claim, NONE).await
    }

    /// Removes many entries that are done, in one round trip. Results are in the order of the
    /// claims.
    pub async fn ack_many(&self, claims: &[Claim]) -> Result<Vec<Fenced>, LinkError> {
        let claims = claims.iter().map(|claim| (claim, NONE));
        self.fenced(&scripts::ACK, claims.collect()).await
    }

    /// Moves the end of a lease to `lease_ms` from now.
    pub async fn extend(&self, claim: &Claim, lease_ms: u64) -> Result<Fenced, LinkError> {
        self.fenced_one(&scripts::EXTEND, claim, lease_ms).await
    }

    /// Returns an entry: it is due again after `pause_ms` and keeps its attempts.
    pub async fn retry(&self, claim: &Claim, pause_ms: u64) -> Result<Fenced, LinkError> {
        self.fenced_one(&scripts::RETRY, claim, pause_ms).await
    }

    /// Returns many entries, each with its own pause, in one round trip. Results are in the order
    /// of the claims.
    pub async fn retry_many(
        &self,
        claims: &[Claim],
        pause_ms: impl Fn(&Claim) -> u64,
    ) -> Result<Vec<Fenced>, LinkError> {
        let claims = claims.iter().map(|claim| (claim, pause_ms(claim)));
        self.fenced(&scripts::RETRY, claims.collect()).await
    }

    /// Parks an entry with its body, also if others of its id are parked.
    pub async fn park(&self, claim: &Claim, reason: &str) -> Result<Fenced, LinkError> {
        self.fenced_one(&scripts::PARK, claim, reason).await
    }

    async fn fenced_one<A: ToRedisArgs>(
        &self,
        script: &'static Script,
        claim: &Claim,
        argument: A,
    ) -> Result<Fenced, LinkError> {
        let call = self.call(script, claim.shard);
        let call = call.arg(&claim.id).arg(&claim.token).arg(argument);
        fenced(&mut self.link.run(call).await?)
    }

    /// Runs a fenced script over many claims, each with the script's last argument.
    pub(super) async fn fenced<A: ToRedisArgs>(
        &self,
        script: &'static Script,
        claims: Vec<(&Claim, A)>,
    ) -> Result<Vec<Fenced>, LinkError> {
        let shard_of = |n: usize| claims[n].0.shard;
        let add = |call: &mut Call, n: usize| {
            let (claim, argument) = &claims[n];
            call.push(&claim.id);
            call.push(&claim.token);
            call.push(argument);
        };
        self.by_shard(script, claims.len(), shard_of, add, fenced)
            .await
    }
}

fn fenced(reply: &mut Reply) -> Result<Fenced, LinkError> {
    match reply.parse::<u8>()? {
        1 => Ok(Fenced::Done),
        2 => Ok(Fenced::Full),
        _ => Ok(Fenced::Stale),
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
    into.claims.extend(reply.rest(|reply| {
        Ok(Claim {
            shard,
            id: reply.word()?,
            body: reply.word()?,
            token: token.to_owned(),
            attempt: reply.parse()?,
            due_ms: reply.parse()?,
        })
    })?);
    Ok(next)
}
