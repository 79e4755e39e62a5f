//! Counts the answers that the buyers received.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::api::{Answer, Buyer};

/// An accepted order with its last known status.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// Its buyer.
    pub buyer: Buyer,
    /// Status in the last answer that named it.
    pub last_seen: String,
}

impl Accepted {
    /// Whether no status follows the last known one.
    pub fn is_final(&self) -> bool {
        matches!(
            self.last_seen.as_str(),
            "paid" | "refunded" | "cancelled" | "closed" | "rejected" | "void"
        )
    }
}

/// What the buyers received.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Number of events by name.
    pub named: BTreeMap<&'static str, u64>,
    /// Orders by number.
    pub accepted: BTreeMap<String, Accepted>,
    /// Number of 503 problems without Retry-After.
    pub without_retry_after: u64,
    /// Duration of the slowest 503 problem.
    pub slowest_refusal: Duration,
    /// Answers that must not occur.
    pub unexpected: Vec<String>,
    /// Requests that failed, in the order of their answers.
    pub failed: Vec<FailedRequest>,
}

/// A request that the system could not serve; its client repeats it.
#[derive(Debug, Clone)]
pub struct FailedRequest {
    /// When it was answered, or was known to have no answer.
    pub at: Instant,
    /// Status and code of the answer.
    pub answer: String,
}

/// Shared by all buyers.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<Counts>>);

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.lock().clone()
    }

    /// Counts one event.
    pub fn count(&self, what: &'static str) {
        *self.lock().named.entry(what).or_default() += 1;
    }

    /// Records an accepted order; repeated answers have no effect.
    pub fn accepted(&self, buyer: &Buyer, order: &str, status: &str) {
        let accepted = Accepted {
            buyer: buyer.clone(),
            last_seen: status.to_owned(),
        };
        let mut counts = self.lock();
        counts.accepted.entry(order.to_owned()).or_insert(accepted);
    }

    /// Records the status of an order.
    pub fn seen(&self, order: &str, status: &str) {
        if let Some(accepted) = self.lock().accepted.get_mut(order) {
            status.clone_into(&mut accepted.last_seen);
        }
    }

    /// Records a request that the system could not serve. A refusal because there are too many
    /// requests (429) is none.
    pub fn failed(&self, answer: &Answer) {
        if answer.http == 429 {
            return;
        }
        let text = match (answer.http, answer.code()) {
            (0, _) => "no answer".to_owned(),
            (http, Some(code)) => format!("{http} {code}"),
            (http, None) => http.to_string(),
        };
        let at = Instant::now();
        self.lock().failed.push(FailedRequest { at, answer: text });
    }

    /// Counts a temporary refusal, with its Retry-After and its duration.
    pub fn refused(&self, answer: &Answer) {
        self.count("try again later");
        self.failed(answer);
        if answer.http == 503 && answer.code().is_some() {
            let mut counts = self.lock();
            counts.without_retry_after += u64::from(answer.retry_after.is_none());
            counts.slowest_refusal = counts.slowest_refusal.max(answer.took);
        }
    }

    /// Records an answer that must not occur.
    pub fn unexpected(&self, what: &str, answer: &Answer) {
        let answer = format!("{what}: {} {}", answer.http, answer.body);
        self.lock().unexpected.push(answer);
    }
}
