//! Applies the result of a batch to its partitions.

use super::machine::{InFlightSlice, StreamMachine};
use super::partition::Segment;
use super::{DiscardReason, FailedRecord, StreamAction, StreamBatchResult, StreamSettings};
use crate::{InvocationId, Millis};

impl StreamMachine {
    pub(super) fn finished(
        &mut self,
        now: Millis,
        id: InvocationId,
        finish: StreamBatchResult,
        out: &mut Vec<StreamAction>,
    ) {
        let Some(slices) = self.in_flight.remove(&id) else {
            return;
        };
        for sent in &slices {
            self.busy.remove(&sent.slice.partition);
        }
        let finish = match finish {
            StreamBatchResult::Answered(failures) => match self.foreign(&slices, &failures) {
                None => StreamBatchResult::Answered(failures),
                Some(why) => {
                    out.push(StreamAction::RejectedResponse(why));
                    StreamBatchResult::Failed
                }
            },
            other => other,
        };
        for sent in slices {
            let partition = sent.slice.partition;
            // revoked meanwhile, perhaps assigned again: the result is void
            let Some(state) = self
                .partitions
                .get_mut(&partition)
                .filter(|state| state.epoch == sent.epoch)
            else {
                continue;
            };
            match &finish {
                StreamBatchResult::NotInvoked => {
                    state.not_before = now + self.settings.backoff.as_millis() as Millis;
                }
                StreamBatchResult::Failed => self.failed(now, &sent, 0, out),
                StreamBatchResult::Answered(failures) => {
                    let offsets = failures
                        .iter()
                        .filter(|failure| failure.partition == partition)
                        .map(|failure| failure.offset);
                    match state.lowest(sent.slice.records, offsets) {
                        Ok(Some(at)) => self.failed(now, &sent, at, out),
                        _ => self.finish(partition, sent.slice.records, out),
                    }
                }
            }
        }
    }

    /// Describes a failure that names a record outside of the batch.
    fn foreign(&self, slices: &[InFlightSlice], failures: &[FailedRecord]) -> Option<String> {
        let in_batch = |failure: &FailedRecord| {
            let sent = slices
                .iter()
                .find(|sent| sent.slice.partition == failure.partition);
            sent.is_some_and(|sent| {
                let state = self.partitions.get(&failure.partition);
                let mut offsets = std::iter::once(failure.offset);
                state
                    .filter(|state| state.epoch == sent.epoch)
                    .is_none_or(|state| state.lowest(sent.slice.records, &mut offsets).is_ok())
            })
        };
        let failure = failures.iter().find(|failure| !in_batch(failure))?;
        Some(format!(
            "the partial batch response names offset {} of partition {}, which the batch does not \
             have; the whole batch counts as failed",
            failure.offset, failure.partition.number
        ))
    }

    /// The slice's records from index `at` on failed; those before are done.
    fn failed(
        &mut self,
        now: Millis,
        sent: &InFlightSlice,
        at: usize,
        out: &mut Vec<StreamAction>,
    ) {
        let partition = sent.slice.partition;
        self.finish(partition, at, out);
        let rest = sent.slice.records - at;
        let settings = &self.settings;
        let Some(state) = self.partitions.get_mut(&partition) else {
            return;
        };
        if settings.bisect && rest > 1 && at == 0 {
            let half = rest.div_ceil(2);
            let attempts = sent.attempts;
            state.recut(
                rest,
                &[
                    Segment {
                        records: half,
                        attempts,
                    },
                    Segment {
                        records: rest - half,
                        attempts,
                    },
                ],
            );
            state.not_before = now + settings.backoff.as_millis() as Millis;
            return;
        }
        let attempts = if at > 0 {
            1
        } else {
            sent.attempts.saturating_add(1)
        };
        if settings.max_retries.is_some_and(|max| attempts > max) {
            state.recut(rest, &[]);
            self.discard(now, partition, rest, DiscardReason::RetriesExhausted, out);
            return;
        }
        state.recut(
            rest,
            &[Segment {
                records: rest,
                attempts,
            }],
        );
        state.not_before = now + backoff(settings, attempts);
    }
}

/// The wait before a retry.
pub(super) fn backoff(settings: &StreamSettings, attempts: u32) -> Millis {
    let factor = 1_u32
        .checked_shl(attempts.saturating_sub(1).min(20))
        .unwrap_or(u32::MAX);
    settings
        .backoff
        .saturating_mul(factor)
        .min(settings.max_backoff)
        .as_millis() as Millis
}
