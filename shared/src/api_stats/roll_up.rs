//! Calls added up by cell.

use std::collections::BTreeMap;

use super::aggregate::Aggregate;
use super::labels::{Caps, Labels};
use crate::message::ApiCall;

/// A call counts as at most so much older than when the broker got it, milliseconds.
const MAX_LATE_MS: i64 = 3_600_000;

/// A minute, counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(pub i64);

impl Minute {
    /// The minute of a time, milliseconds since 1970.
    pub const fn of_ms(ms: i64) -> Self {
        Self(ms.div_euclid(60_000))
    }

    /// When it begins, milliseconds since 1970.
    pub const fn start_ms(self) -> i64 {
        self.0 * 60_000
    }
}

/// When a call counts as made, milliseconds since 1970: when its sender says, but neither after the broker got it nor more than an hour
/// before. A sender's clock that is wrong puts nothing into minutes that are over for good, or that nobody will ever live to delete.
pub fn counted_at_ms(call: &ApiCall, appended_ms: Option<i64>) -> i64 {
    match appended_ms {
        Some(appended) => call
            .at_ms
            .clamp(appended.saturating_sub(MAX_LATE_MS), appended)
            .clamp(0, ApiCall::MAX_AT_MS),
        None => call.at_ms,
    }
}

/// What calls are added up by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// When.
    pub minute: Minute,
    /// Method and route, or `other`.
    pub route: String,
    /// HTTP status.
    pub status: u16,
    /// Kind of client, or `other`.
    pub client: String,
}

/// Sums under construction.
#[derive(Debug, Clone)]
pub struct RollUp {
    caps: Caps,
    names: BTreeMap<Minute, (Labels, Labels)>,
    cells: BTreeMap<Cell, Aggregate>,
}

impl RollUp {
    /// Nothing added yet.
    pub const fn new(caps: Caps) -> Self {
        Self {
            caps,
            names: BTreeMap::new(),
            cells: BTreeMap::new(),
        }
    }

    /// Tells which routes and clients a minute has already, from earlier batches.
    pub fn know(&mut self, minute: Minute, routes: Labels, clients: Labels) {
        self.names.insert(minute, (routes, clients));
    }

    /// Adds one call that counts as made at `at_ms`, see [`counted_at_ms`].
    pub fn add(&mut self, call: &ApiCall, at_ms: i64) {
        let minute = Minute::of_ms(at_ms);
        let (routes, clients) = self.names.entry(minute).or_default();
        let route = routes.admit(&call.route_key(), self.caps.routes);
        let client = clients.admit(call.client.as_str(), self.caps.clients);
        let cell = Cell {
            minute,
            route,
            status: call.status,
            client,
        };
        self.cells
            .entry(cell)
            .or_default()
            .add(&Aggregate::of(call.duration_us));
    }

    /// The sums, ascending by cell.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = (&Cell, &Aggregate)> {
        self.cells.iter()
    }
}
