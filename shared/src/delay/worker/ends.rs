//! How entries end: what was decided of many is carried out together.

use super::verdict::Verdict;
use crate::delay::{Claim, DelayQueue, Fenced, scripts};
use crate::link::LinkError;

/// An entry whose attempt is over.
#[derive(Debug)]
pub(super) struct End {
    pub(super) claim: Claim,
    pub(super) verdict: Verdict,
    /// It was tried before, and nobody knows whether that was carried out: a refusal proves nothing.
    pub(super) unsure: bool,
}

/// Carries all of them out, in as many round trips as there are kinds of verdicts. Answers in their order. After an error some may have
/// been carried out; all may be repeated.
pub(super) async fn carry_out(queue: &DelayQueue, ends: &[End]) -> Result<Vec<Fenced>, LinkError> {
    let mut acks = Vec::new();
    let mut retries = Vec::new();
    let mut parks = Vec::new();
    for (at, end) in ends.iter().enumerate() {
        match &end.verdict {
            Verdict::Ack => acks.push((at, ())),
            Verdict::Retry { pause_ms } => retries.push((at, *pause_ms)),
            Verdict::Park(reason) => parks.push((at, reason.as_str())),
        }
    }
    let mut answers = vec![Fenced::Stale; ends.len()];
    let claims = |of: &[usize]| of.iter().map(|at| &ends[*at].claim).collect::<Vec<_>>();
    let mut note = |at: Vec<usize>, fenced: Vec<Fenced>| {
        at.into_iter()
            .zip(fenced)
            .for_each(|(at, one)| answers[at] = one);
    };

    let (at, _): (Vec<_>, Vec<()>) = acks.into_iter().unzip();
    let done = queue
        .fenced(&scripts::ACK, &claims(&at), |_| None::<u64>)
        .await?;
    note(at, done);
    let (at, pauses): (Vec<_>, Vec<_>) = retries.into_iter().unzip();
    let done = queue
        .fenced(&scripts::RETRY, &claims(&at), |n| Some(pauses[n]))
        .await?;
    note(at, done);
    let (at, reasons): (Vec<_>, Vec<_>) = parks.into_iter().unzip();
    let done = queue
        .fenced(&scripts::PARK, &claims(&at), |n| Some(reasons[n]))
        .await?;
    note(at, done);
    Ok(answers)
}
