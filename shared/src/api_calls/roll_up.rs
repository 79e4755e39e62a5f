//! Sums of calls by minute, route, status and client.

use std::collections::BTreeMap;

use super::aggregate::Aggregate;
use super::labels::{Caps, Labels};
use super::message::ApiCall;

/// A call counts as at most this much older than its record in the broker, milliseconds.
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

/// The time at which a call counts, milliseconds since 1970: the sender's time, but not after the
/// broker appended the record and at most an hour before. So a wrong clock of a sender cannot add
/// to minutes long past or far in the future.
pub fn counted_at_ms(call: &ApiCall, appended_ms: Option<i64>) -> i64 {
    match appended_ms {
        Some(appended) => call
            .at_ms
            .clamp(appended.saturating_sub(MAX_LATE_MS), appended)
            .clamp(0, ApiCall::MAX_AT_MS),
        None => call.at_ms,
    }
}

/// The key of a sum.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// The minute.
    pub minute: Minute,
    /// Method and route, or [`OTHER`](super::OTHER).
    pub route: String,
    /// HTTP status.
    pub status: u16,
    /// Kind of client, or [`OTHER`](super::OTHER).
    pub client: String,
}

/// The sums of a batch.
#[derive(Debug, Clone)]
pub struct RollUp {
    caps: Caps,
    names: BTreeMap<Minute, (Labels, Labels)>,
    cells: BTreeMap<Cell, Aggregate>,
}

impl RollUp {
    /// Without calls.
    pub const fn new(caps: Caps) -> Self {
        Self {
            caps,
            names: BTreeMap::new(),
            cells: BTreeMap::new(),
        }
    }

    /// Adds the routes and clients that a minute has from earlier batches.
    pub fn add_known(&mut self, minute: Minute, routes: Labels, clients: Labels) {
        self.names.insert(minute, (routes, clients));
    }

    /// Adds a call at `at_ms`, see [`counted_at_ms`].
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
