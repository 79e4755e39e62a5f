//! What the Redis gate holds, as raw keys. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The delay queue of the orders' timeouts.
pub(crate) const TIMEOUT_QUEUE: &str = "order-timeout";

/// A seat's owner in Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub order: String,
    pub nonce: String,
}

/// The gate's keys of one program.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hall {
    /// Header; empty if the program was never installed.
    pub head: HashMap<String, String>,
    /// Bytes of each category, by chunk.
    pub seats: BTreeMap<i64, Vec<Vec<u8>>>,
    /// By category, a character for each chunk: its longest run of free seats within a row.
    pub longest: BTreeMap<i64, Vec<u8>>,
    /// Owner of each seat.
    pub owners: BTreeMap<i64, Owner>,
    /// Categories whose free count changed while their chunks were read.
    pub changing: BTreeSet<i64>,
}

impl Hall {
    /// Whether the program is on sale in the gate. One without a state is of a test.
    pub(crate) fn is_open(&self) -> bool {
        !self.head.is_empty() && self.head.get("state").is_none_or(|state| state == "open")
    }
}

/// A reservation.
#[derive(Debug, Clone)]
pub(crate) struct Reservation {
    pub state: String,
    pub nonce: String,
    pub program: String,
}

/// The keys of all programs.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Keys by program.
    pub halls: BTreeMap<String, Hall>,
    /// Tickets by (program, user, order).
    pub tickets: BTreeMap<(String, String, String), i64>,
    /// Reservations by order.
    pub reservations: BTreeMap<String, Reservation>,
    /// Members of the delay queues: "queue member".
    pub due: BTreeSet<String>,
}

impl Gate {
    /// The numbers of all orders that the gate knows.
    pub(crate) fn orders(&self) -> BTreeSet<String> {
        let owners = self.halls.values().flat_map(|hall| hall.owners.values());
        let owners = owners.map(|owner| owner.order.clone());
        let tickets = self.tickets.keys().map(|(_, _, order)| order.clone());
        let reservations = self.reservations.keys().cloned();
        owners.chain(tickets).chain(reservations).collect()
    }
}
