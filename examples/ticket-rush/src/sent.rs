//! What clients really sent, counted by themselves: the truth that the API statistics are checked against.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A route as the API names it (`GET /orders/{number}`) and the status of the answer.
pub type RouteStatus = (String, u16);

#[derive(Debug, Default)]
struct Counts {
    answered: BTreeMap<RouteStatus, u64>,
    uncertain: u64,
}

/// Counts requests; cheap to clone, shared by all clients of a run.
#[derive(Debug, Clone, Default)]
pub struct Sent(Arc<Mutex<Counts>>);

impl Sent {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request to `route` was answered with `status`. `by_function`: the function itself answered, as its instance's id in the
    /// answer proves; else the gateway spoke for it, and whether the function had a part in it is not known here.
    pub(crate) fn answered(&self, route: &str, status: u16, by_function: bool) {
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

    /// Requests of which is not known whether the function answered them: refused by the gateway, or without any answer.
    pub fn uncertain(&self) -> u64 {
        self.lock().uncertain
    }
}
