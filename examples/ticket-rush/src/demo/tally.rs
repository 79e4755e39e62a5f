//! Counts the answers that the buyers received.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ticket_rush::api::{Answer, Buyer};

/// An accepted order with its last known status.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub buyer: Buyer,
    pub last_seen: String,
}

impl Accepted {
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self.last_seen.as_str(),
            "paid" | "refunded" | "cancelled" | "closed" | "rejected" | "void"
        )
    }
}

#[derive(Debug, Default)]
struct Counts {
    named: BTreeMap<&'static str, u64>,
    accepted: BTreeMap<String, Accepted>,
    without_retry_after: u64,
    slowest_refusal: Duration,
    unexpected: Vec<String>,
}

/// Shared by all buyers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<Counts>>);

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one event.
    pub(crate) fn count(&self, what: &'static str) {
        *self.lock().named.entry(what).or_default() += 1;
    }

    /// Number of events.
    pub(crate) fn of(&self, what: &'static str) -> u64 {
        self.lock().named.get(what).copied().unwrap_or_default()
    }

    /// Records an accepted order; repeated answers have no effect.
    pub(crate) fn accepted(&self, buyer: &Buyer, order: &str, status: &str) {
        let mut counts = self.lock();
        let accepted = Accepted {
            buyer: buyer.clone(),
            last_seen: status.to_owned(),
        };
        counts.accepted.entry(order.to_owned()).or_insert(accepted);
    }

    /// Records the status of an order.
    pub(crate) fn seen(&self, order: &str, status: &str) {
        if let Some(accepted) = self.lock().accepted.get_mut(order) {
            status.clone_into(&mut accepted.last_seen);
        }
    }

    /// Orders by number.
    pub(crate) fn orders(&self) -> BTreeMap<String, Accepted> {
        self.lock().accepted.clone()
    }

    /// Counts a temporary refusal, with its Retry-After and its duration.
    pub(crate) fn refused(&self, answer: &Answer) {
        let mut counts = self.lock();
        *counts.named.entry("try again later").or_default() += 1;
        if answer.http == 503 && answer.code().is_some() {
            counts.without_retry_after += u64::from(answer.retry_after.is_none());
            counts.slowest_refusal = counts.slowest_refusal.max(answer.took);
        }
    }

    /// Number of 503 problems without Retry-After, and the duration of the slowest one.
    pub(crate) fn refusals(&self) -> (u64, Duration) {
        let counts = self.lock();
        (counts.without_retry_after, counts.slowest_refusal)
    }

    /// Records an answer that must not occur.
    pub(crate) fn unexpected(&self, what: &str, answer: &Answer) {
        let mut counts = self.lock();
        counts
            .unexpected
            .push(format!("{what}: {} {}", answer.http, answer.body));
    }

    /// All answers that must not occur.
    pub(crate) fn unexpected_answers(&self) -> Vec<String> {
        self.lock().unexpected.clone()
    }
}
