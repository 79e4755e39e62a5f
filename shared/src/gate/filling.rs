//! Arguments and results of filling the gate.

use std::fmt;

use crate::message::{CategoryNo, IdempotencyKey, Nonce, OrderNumber, SeatIndex, UserId};

/// Identifies one filling by one loader: 128 random bits. A later filling makes it stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch(pub(super) String);

impl Epoch {
    /// From 128 random bits.
    pub fn new(random: u128) -> Self {
        Self(format!("{random:032x}"))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The right to begin a filling from nothing, valid until the gate loses its data: see
/// `lua/install_claim.lua`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FillGrant(pub(super) String);

/// The result of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FillClaim {
    /// The caller may begin, until its lease ends.
    Granted(FillGrant),
    /// Another loader holds the grant.
    Busy {
        /// Time until its lease ends, ms.
        lease_left_ms: u64,
    },
}

/// The start of a filling from nothing.
#[derive(Debug, Clone, Copy)]
pub struct FillStart<'a> {
    /// Granted before the barriers were appended.
    pub grant: &'a FillGrant,
    /// Positions of the barriers in Kafka ([`Barriers`](crate::refill::Barriers)); `{}` if Kafka
    /// cannot hold a record of the program.
    pub ends: &'a str,
}

/// The result of beginning a filling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FillBegun {
    /// The filling is the caller's until its lease ends.
    Mine {
        /// The barriers that `progress` must pass before Postgres is read.
        ends: String,
        /// The stored position ([`install_renew`](super::Gate::install_renew)); empty at first.
        position: String,
    },
    /// Another loader holds the lease.
    Busy {
        /// Time until its lease ends, ms.
        lease_left_ms: u64,
    },
    /// The gate is open: nothing to do.
    AlreadyOpen,
    /// The filling starts from nothing, and only a storefront, which appends barriers to Kafka, can
    /// begin it.
    EndsNeeded,
    /// The gate no longer holds the grant: it may have lost orders after the barriers. Claim again.
    GrantLost,
}

/// The state of a program in the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstallState {
    /// Not installed.
    Absent,
    /// Filled on another server (a restart, a failover): it must be filled again.
    Replaced,
    /// Being filled.
    Loading {
        /// The barriers that must be passed.
        ends: String,
        /// Time until the loader's lease ends, ms; 0 when it has ended.
        lease_left_ms: u64,
    },
    /// Open.
    Open,
}

/// A live order of Postgres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOrder {
    /// Its number.
    pub order: OrderNumber,
    /// Its nonce.
    pub nonce: Nonce,
    /// Its buyer.
    pub user: UserId,
    /// Its category.
    pub category: CategoryNo,
    /// Its seats.
    pub seats: Vec<SeatIndex>,
    /// Time until payment is due, ms; `None` once it is paid.
    pub due_in_ms: Option<u64>,
}

/// A client's idempotency key and its order in Postgres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedOrder {
    /// The buyer.
    pub user: UserId,
    /// The client's key.
    pub key: IdempotencyKey,
    /// Its order.
    pub order: OrderNumber,
    /// That order's nonce.
    pub nonce: Nonce,
    /// Hash of the request's body in hex digits; empty if unknown.
    pub body_hash: String,
    /// Remaining lifetime of the key, ms.
    pub ttl_ms: u64,
}

/// The result of merging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// All orders without a tombstone are merged.
    Done {
        /// Orders that lost a seat to an order of Postgres: reconcile each.
        displaced: Vec<(OrderNumber, Nonce)>,
        /// Orders left out because the installed map lacks their seats: raise an alarm.
        outside: Vec<OrderNumber>,
    },
    /// Another loader has taken over the filling.
    Stale,
}
