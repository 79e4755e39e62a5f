//! How the worker's loop applies the results of round trips and handlers.

use std::time::Duration;

use redis_link::LinkError;
use tokio::task::{Id, JoinError};
use tokio::time::Instant;

use super::completions::Completion;
use super::disposition::{Disposition, disposition, exhausted, needs_extension};
use super::event_loop::{EventLoop, RoundTrip, Running};
use super::job::{Handler, Job};
use crate::{Backoff, Claim, Fenced, Outcome, Reason, scripts};

/// Pause before an entry that could not be parked (too many are) is handled again, ms.
const FULL_PAUSE_MS: u64 = 60_000;
/// Pauses after failed round trips.
const RETRY_ROUND_TRIP: Backoff = Backoff {
    base: Duration::from_millis(20),
    cap: Duration::from_secs(1),
    max_attempts: None,
};

impl<H: Handler> EventLoop<'_, H> {
    pub(super) fn on_round_trip(&mut self, result: Result<RoundTrip, JoinError>) {
        let round_trip = result.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => unreachable!("round trips are never aborted: {error}"),
        });
        match round_trip {
            RoundTrip::Claimed {
                sent,
                received,
                result,
            } => {
                self.claiming = false;
                let claimed = self.pause_on_error(result);
                match &claimed {
                    Some(claimed) => self.due.end_claim(&claimed.next, claimed.now_ms),
                    None => self.due.end_claim(&[], 0),
                }
                if let Some(claimed) = claimed {
                    let sent_us = self.micros(sent);
                    let received_us = self.micros(received);
                    self.clock.observe(sent_us, received_us, claimed.now_us);
                    for claim in claimed.claims {
                        self.start_handler(claim, sent);
                    }
                }
            }
            RoundTrip::Completed {
                completions,
                result,
            } => {
                self.completing = 0;
                let results = self.pause_on_error(result);
                for (n, mut completion) in completions.into_iter().enumerate() {
                    if let Some(results) = &results {
                        self.on_completed(&completion, results[n]);
                    } else {
                        completion.repeated = true;
                        self.completions.push(completion);
                    }
                }
            }
            RoundTrip::Extended {
                sent,
                handlers,
                result,
            } => {
                self.extending = false;
                let results = self.pause_on_error(result).unwrap_or_default();
                for (id, fenced) in handlers.into_iter().zip(results) {
                    self.on_extended(id, sent, fenced);
                }
            }
        }
    }

    /// Counts failures in a row; after each, no round trip is started for a while.
    fn pause_on_error<T>(&mut self, result: Result<T, LinkError>) -> Option<T> {
        match result {
            Ok(value) => {
                self.failures = 0;
                Some(value)
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                tracing::warn!(
                    queue = self.worker.queue.name(),
                    %error,
                    failures = self.failures,
                    "a request to redis failed; the worker repeats it"
                );
                let pause = RETRY_ROUND_TRIP.delay(self.failures, rand::random());
                self.paused_until = Some(Instant::now() + pause.unwrap_or(RETRY_ROUND_TRIP.cap));
                None
            }
        }
    }

    /// Starts the handler of a claimed entry, unless its attempts are used up.
    fn start_handler(&mut self, mut claim: Claim, claimed: Instant) {
        if let Some(disposition) = exhausted(claim.attempt, &self.worker.settings.backoff) {
            self.complete(claim, disposition);
            return;
        }
        let job = Job {
            shard: claim.shard,
            id: claim.id.clone(),
            body: std::mem::take(&mut claim.body),
            attempt: claim.attempt,
            due_ms: claim.due_ms,
        };
        let handler = self.worker.handler.clone();
        let handling = async move { handler.handle(job).await };
        let running = Running {
            claim,
            extended: claimed,
            handler: self.handlers.spawn(handling),
        };
        self.running.insert(running.handler.id(), running);
    }

    pub(super) fn on_outcome(&mut self, result: Result<(Id, Outcome), JoinError>) {
        let (id, outcome) = match result {
            Ok(outcome) => outcome,
            Err(error) => {
                let reason = Reason::new(format_args!("the handler ended abnormally: {error}"));
                (error.id(), Outcome::Retry(reason))
            }
        };
        // A handler that lost its lease was removed before.
        if let Some(Running { claim, .. }) = self.running.remove(&id) {
            let backoff = &self.worker.settings.backoff;
            let disposition = disposition(outcome, claim.attempt, backoff, rand::random());
            self.complete(claim, disposition);
        }
    }

    fn complete(&mut self, claim: Claim, disposition: Disposition) {
        self.completions.push(Completion {
            claim,
            disposition,
            repeated: false,
        });
    }

    fn on_completed(&mut self, completion: &Completion, fenced: Fenced) {
        let queue = self.worker.queue.name();
        let id = &completion.claim.id;
        let attempt = completion.claim.attempt;
        match (&completion.disposition, fenced) {
            (_, Fenced::Stale) if completion.repeated => {}
            (_, Fenced::Stale) => {
                tracing::warn!(
                    queue,
                    id,
                    attempt,
                    "an attempt ended after its lease was lost; its result is not applied"
                );
                self.counts.stale += 1;
                return;
            }
            (_, Fenced::Full) => {
                tracing::error!(
                    alarm = "parked_full",
                    queue,
                    id,
                    attempt,
                    "an entry could not be parked: too many are. It is handled again later. \
                     Replay or drop parked entries of this queue"
                );
                let retry = Disposition::Retry {
                    pause_ms: FULL_PAUSE_MS,
                };
                self.complete(completion.claim.clone(), retry);
                return;
            }
            (Disposition::Park(reason), Fenced::Done) => {
                tracing::error!(
                    alarm = "entry_parked",
                    queue,
                    id,
                    attempt,
                    %reason,
                    "an entry is parked"
                );
            }
            _ => {}
        }
        match completion.disposition {
            Disposition::Ack => self.counts.done += 1,
            Disposition::Retry { .. } => self.counts.retried += 1,
            Disposition::Park(_) => self.counts.parked += 1,
        }
    }

    /// Extends the leases of slow handlers.
    pub(super) fn extend_leases(&mut self) {
        let now = Instant::now();
        let lease = self.worker.settings.lease;
        let (handlers, claims): (Vec<Id>, Vec<Claim>) = self
            .running
            .iter()
            .filter(|(_, running)| needs_extension(now.duration_since(running.extended), lease))
            .map(|(id, running)| (*id, running.claim.clone()))
            .unzip();
        if handlers.is_empty() || self.extending {
            return;
        }
        self.extending = true;
        let queue = self.worker.queue.clone();
        let lease_ms = lease.as_millis() as u64;
        self.round_trips.spawn(async move {
            let sent = Instant::now();
            let claims = claims.iter().map(|claim| (claim, lease_ms)).collect();
            RoundTrip::Extended {
                sent,
                handlers,
                result: queue.fenced(&scripts::EXTEND, claims).await,
            }
        });
    }

    fn on_extended(&mut self, id: Id, sent: Instant, fenced: Fenced) {
        match fenced {
            Fenced::Done => {
                if let Some(running) = self.running.get_mut(&id) {
                    running.extended = sent;
                }
            }
            // A handler that finished meanwhile is no longer running; its completion is fenced.
            Fenced::Stale | Fenced::Full => {
                if let Some(running) = self.running.remove(&id) {
                    tracing::info!(
                        queue = self.worker.queue.name(),
                        id = running.claim.id,
                        "a handler is stopped: its lease is lost"
                    );
                    running.handler.abort();
                    self.counts.revoked += 1;
                }
            }
        }
    }
}
