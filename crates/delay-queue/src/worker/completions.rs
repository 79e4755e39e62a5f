//! Applies the dispositions of finished attempts, many at a time.

use redis_link::LinkError;

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
        let (kind, argument) = match &completion.disposition {
            Disposition::Ack => (&mut acks, None),
            Disposition::Retry { pause_ms } => (&mut retries, Some(pause_ms.to_string())),
            Disposition::Park(reason) => (&mut parks, Some(reason.to_string())),
        };
        kind.push((index, (&completion.claim, argument)));
    }
    let mut results = vec![Fenced::Stale; completions.len()];
    for (script, kind) in [
        (&scripts::ACK, acks),
        (&scripts::RETRY, retries),
        (&scripts::PARK, parks),
    ] {
        let (indexes, claims): (Vec<usize>, Vec<_>) = kind.into_iter().unzip();
        let fenced = queue.fenced(script, claims).await?;
        for (index, fenced) in indexes.into_iter().zip(fenced) {
            results[index] = fenced;
        }
    }
    Ok(results)
}
