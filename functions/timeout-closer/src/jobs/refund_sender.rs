//! Sends refunds to the payment provider, each under a key of its own until the provider decides.
//!
//! A refund is handed out under a lease before its request is sent. If this process dies, or its
//! commit is lost, another tick repeats the request under the same key, and the provider returns
//! the money once.

use std::time::{Duration, Instant};

use futures::future::join_all;
use shared::message::Nonce;
use shared::store::{HandedOut, RefundDone};

use super::{JobError, Sweep};
use crate::closer::Closer;
use crate::refunds::{ProviderAnswer, ProviderError, ProviderRefund, RefundProvider};

/// Refunds in flight at once.
const CONCURRENCY: u32 = 8;
/// Delay of the second attempt. It doubles with each further one.
const FIRST_DELAY: Duration = Duration::from_secs(10);
/// Maximum delay.
const MAX_DELAY: Duration = Duration::from_hours(1);
/// A lease lasts longer than a request by this, for the commit.
const COMMIT: Duration = Duration::from_secs(10);
/// A refund that waits longer than this raises an alarm.
const ALARM_AGE: Duration = Duration::from_hours(6);

/// Takes at most half of the sweep's time: a slow provider must not keep the gate unsettled.
pub(super) async fn run(sweep: &mut Sweep<'_>) -> Result<(), JobError> {
    let closer = sweep.closer;
    let store = &closer.store;
    if let Some(provider) = &closer.refunds {
        let limit = closer.settings.sweep_limit;
        let age = closer.settings.unmatched_refund_after;
        sweep.report.given_up = store.give_up_unmatched(age, limit).await?;
        sweep.report.refunds_requested = store.request_refunds(limit).await?;
        let now = Instant::now();
        let until = now + sweep.until.saturating_duration_since(now) / 2;
        send(sweep, provider.as_ref(), until).await?;
    }
    let counts = store.refund_counts().await?;
    sweep.report.refunds_waiting = counts.waiting.max(0) as u64;
    sweep.report.refunds_refused = counts.refused.max(0) as u64;
    if counts.oldest_ms.max(0) as u128 > ALARM_AGE.as_millis() {
        tracing::error!(
            alarm = "refunds_waiting",
            refunds = counts.waiting,
            oldest_ms = counts.oldest_ms,
            "refunds wait for the payment provider, or for an operator who records them"
        );
    }
    Ok(())
}

/// Sends page by page. Ends when nothing is due, the time is over, or the provider decides nothing
/// of a page.
async fn send(
    sweep: &mut Sweep<'_>,
    provider: &dyn RefundProvider,
    until: Instant,
) -> Result<(), JobError> {
    let closer = sweep.closer;
    let timeout = closer.settings.refund_timeout();
    while Instant::now() < until {
        let token = Nonce::new(rand::random());
        let lease = timeout + COMMIT;
        let page = closer.store.hand_out_refunds(token, lease, CONCURRENCY);
        let page = page.await?;
        if page.is_empty() {
            break;
        }
        let sent = page.iter().map(|refund| async move {
            let answer = provider.refund(&request(refund)).await;
            let outcome = record(closer, refund, token, answer).await;
            outcome.inspect_err(|error| {
                tracing::warn!(
                    refund = %refund.id, %error,
                    "the provider's answer is not recorded; the refund is repeated under its key"
                );
            })
        });
        let mut decided = 0;
        let mut failed = Ok(());
        for outcome in join_all(sent).await {
            match outcome {
                Ok(Outcome::Refunded) => sweep.report.refunded += 1,
                Ok(Outcome::Refused) => sweep.report.refused += 1,
                Ok(Outcome::Again) => {
                    sweep.report.refunds_failed += 1;
                    continue;
                }
                Err(error) => failed = failed.and(Err(error)),
            }
            decided += 1;
        }
        failed?;
        if decided == 0 {
            break;
        }
    }
    Ok(())
}

/// What became of one attempt.
enum Outcome {
    Refunded,
    Refused,
    /// It is repeated later.
    Again,
}

fn request(refund: &HandedOut) -> ProviderRefund<'_> {
    ProviderRefund {
        id: refund.id,
        payment: &refund.reference,
        order: refund.order,
        amount: refund.amount,
        idempotency_key: &refund.key,
    }
}

async fn record(
    closer: &Closer,
    refund: &HandedOut,
    token: Nonce,
    answer: Result<ProviderAnswer, ProviderError>,
) -> Result<Outcome, JobError> {
    let (store, id) = (&closer.store, refund.id);
    let failure = match answer {
        Ok(ProviderAnswer::Refunded { reference }) => {
            let done = store.refund_done(id, token, &reference).await?;
            // The order's row is dirty: this sweep settles the gate by it.
            tracing::info!(refund = %id, order = %refund.order, reference, "refunded");
            return Ok(match done {
                RefundDone::Recorded(_) => Outcome::Refunded,
                RefundDone::Unchanged => Outcome::Again,
            });
        }
        Ok(ProviderAnswer::Refused { reason }) => {
            let recorded = store.refund_refused(id, token, &reason).await?;
            tracing::error!(
                alarm = "refund_refused",
                refund = %id, order = %refund.order, payment = refund.reference, reason,
                "the provider refuses a refund; an operator decides"
            );
            return Ok(if recorded {
                Outcome::Refused
            } else {
                Outcome::Again
            });
        }
        Ok(ProviderAnswer::Pending) => "pending".to_owned(),
        Err(error) => {
            tracing::warn!(
                refund = %id, attempts = refund.attempts, %error,
                "the provider has not decided a refund; it is sent again later"
            );
            error.to_string()
        }
    };
    let delay = delay(refund.attempts);
    store.postpone_refund(id, token, delay, &failure).await?;
    Ok(Outcome::Again)
}

/// Time from a failed attempt to the next one.
fn delay(attempts: i32) -> Duration {
    let doubled = attempts.clamp(1, 16) as u32 - 1;
    MAX_DELAY.min(FIRST_DELAY * 2_u32.pow(doubled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_an_hour() {
        let delays = [1, 2, 3, 9, 10, 1_000, 0].map(|attempts| delay(attempts).as_secs());
        assert_eq!(delays, [10, 20, 40, 2560, 3600, 3600, 10]);
    }
}
