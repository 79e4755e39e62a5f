//! The number of requests that the clients sent, which the API statistics are compared with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A route (`GET /orders/{number}`) and the status of the answer.
pub type RouteStatus = (String, u16);

#[derive(Debug, Default)]
struct Counts {
    answered: BTreeMap<RouteStatus, u64>,
    uncertain: u64,
}

/// Counts requests. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct RequestCounts(Arc<Mutex<Counts>>);

impl RequestCounts {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request. `by_function`: the answer has the id of an instance, so the function sent
    /// it. Otherwise the gateway answered, and the function may or may not have handled the
    /// request.
    pub(crate) fn add(&self, route: &str, status: u16, by_function: bool) {
        let mut counts = self.lock();
        if by_function {
            *counts
                .answered
                .entry((route.to_owned(), status))
                .or_default() += 1;
        } else {
            counts.uncertain += 1;
        }
    }

    /// Requests that the function answered, by route and status.
    pub fn by_route_and_status(&self) -> BTreeMap<RouteStatus, u64> {
        self.lock().answered.clone()
    }

    /// Requests that the function may not have handled: the gateway answered, or no answer arrived.
    pub fn uncertain(&self) -> u64 {
        self.lock().uncertain
    }
}
