//! Applies the dispositions of finished attempts, many at a time.

use redis::ToRedisArgs;
use redis_link::{LinkError, Script};

use super::disposition::Disposition;
use crate::{Claim, DelayQueue, Fenced, scripts};

/// A finished attempt.
#[derive(Debug)]
pub(super) struct Completion {
    pub(super) claim: Claim,
    pub(super) disposition: Disposition,
    /// An earlier try failed and may have been applied: [`Fenced::Stale`] then proves nothing.
    pub(super) repeated: bool,
}

/// Applies all of them, one round trip for each kind of disposition. Results are in their order.
/// After an error some may have been applied; all may be repeated.
pub(super) async fn apply(
    queue: &DelayQueue,
    completions: &[Completion],
) -> Result<Vec<Fenced>, LinkError> {
    let mut acks = Vec::new();
    let mut retries = Vec::new();
    let mut parks = Vec::new();
    for (index, completion) in completions.iter().enumerate() {
        match &completion.disposition {
            Disposition::Ack => acks.push((index, None)),
            Disposition::Retry { pause_ms } => retries.push((index, Some(*pause_ms))),
            Disposition::Park(reason) => parks.push((index, Some(reason.as_str()))),
        }
    }
    let mut results = vec![Fenced::Stale; completions.len()];
    let none: Vec<(usize, Option<u64>)> = acks;
    apply_kind(queue, &scripts::ACK, completions, &none, &mut results).await?;
    apply_kind(queue, &scripts::RETRY, completions, &retries, &mut results).await?;
    apply_kind(queue, &scripts::PARK, completions, &parks, &mut results).await?;
    Ok(results)
}

/// Applies completions of one kind: the index of each, and the argument of the script.
async fn apply_kind<A: ToRedisArgs + Copy>(
    queue: &DelayQueue,
    script: &'static Script,
    completions: &[Completion],
    kind: &[(usize, Option<A>)],
    results: &mut [Fenced],
) -> Result<(), LinkError> {
    let claims: Vec<&Claim> = kind
        .iter()
        .map(|(index, _)| &completions[*index].claim)
        .collect();
    let fenced = queue.fenced(script, &claims, |n| kind[n].1).await?;
    for ((index, _), fenced) in kind.iter().zip(fenced) {
        results[*index] = fenced;
    }
    Ok(())
}
