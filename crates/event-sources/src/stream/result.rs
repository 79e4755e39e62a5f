//! Applies the result of a batch to its partitions.

use super::machine::{InFlightSlice, StreamMachine};
use super::partition::Segment;
use super::{DiscardReason, FailedRecord, StreamAction, StreamBatchResult, StreamSettings};
use crate::{InvocationId, Millis, backoff, millis};

impl StreamMachine {
    pub(super) fn finished(
        &mut self,
        now: Millis,
        id: InvocationId,
        mut finish: StreamBatchResult,
    ) {
        let Some(slices) = self.in_flight.remove(&id) else {
            return;
        };
        for sent in &slices {
            self.busy.remove(&sent.slice.partition);
        }
        if let StreamBatchResult::Answered(failures) = &finish
            && let Some(why) = self.foreign(&slices, failures)
        {
            self.actions.push(StreamAction::RejectedResponse(why));
            finish = StreamBatchResult::Failed;
        }
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
                    state.not_before = now + millis(self.settings.backoff);
                }
                StreamBatchResult::Failed => self.failed(now, &sent, 0),
                StreamBatchResult::Answered(failures) => {
                    let offsets = failures
                        .iter()
                        .filter(|failure| failure.partition == partition)
                        .map(|failure| failure.offset);
                    match state.lowest(sent.slice.records, offsets) {
                        Ok(Some(at)) => self.failed(now, &sent, at),
                        _ => self.finish(partition, sent.slice.records),
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
    fn failed(&mut self, now: Millis, sent: &InFlightSlice, at: usize) {
        let partition = sent.slice.partition;
        self.finish(partition, at);
        let rest = sent.slice.records - at;
        let settings = &self.settings;
        let Some(state) = self.partitions.get_mut(&partition) else {
            return;
        };
        let segment = |records, attempts| Segment { records, attempts };
        if settings.bisect && rest > 1 && at == 0 {
            let half = rest.div_ceil(2);
            let halves = [half, rest - half].map(|records| segment(records, sent.attempts));
            state.recut(rest, &halves);
            state.not_before = now + millis(settings.backoff);
            return;
        }
        let attempts = if at > 0 {
            1
        } else {
            sent.attempts.saturating_add(1)
        };
        if settings.max_retries.is_some_and(|max| attempts > max) {
            state.recut(rest, &[]);
            self.discard(now, partition, rest, DiscardReason::RetriesExhausted);
            return;
        }
        state.recut(rest, &[segment(rest, attempts)]);
        state.not_before = now + wait_after(settings, attempts);
    }
}

/// The wait before a retry.
pub(super) fn wait_after(settings: &StreamSettings, attempts: u32) -> Millis {
    backoff(settings.backoff, settings.max_backoff, attempts)
}
