//! What the verbs of a filling take and answer.

use std::fmt;
use std::fmt::Write as _;

use crate::message::{CategoryNo, IdempotencyKey, Nonce, OrderNumber, SeatIndex, UserId};

/// One filling of the gate by one loader: 128 random bits. Another beginning makes it stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch(pub(super) String);

impl Epoch {
    /// From 128 random bits.
    pub fn new(random: u128) -> Self {
        let mut text = String::with_capacity(32);
        let _ = write!(text, "{random:032x}");
        Self(text)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The right to begin a filling from nothing, dated by the gate as it is at that moment: see `lua/install_claim.lua`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant(pub(super) String);

/// What a claim came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The caller may begin, until its lease ends.
    Granted(Grant),
    /// Another loader may.
    Busy {
        /// Its lease ends in so many ms.
        lease_left_ms: u64,
    },
}

/// What a filling from nothing starts with.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// Claimed before the barriers were appended.
    pub grant: &'a Grant,
    /// Where the barriers stand in Kafka ([`Barriers`](crate::refill::Barriers)); `{}` where nothing of the program can be in Kafka.
    pub ends: &'a str,
}

/// What a beginning came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Install {
    /// The filling is the caller's until its lease ends.
    Mine {
        /// The barriers that `progress` must pass before Postgres is read.
        ends: String,
        /// What the loader before noted last ([`install_renew`](super::Gate::install_renew)); empty at first.
        position: String,
    },
    /// Another loader is at it.
    Busy {
        /// Its lease ends in so many ms.
        lease_left_ms: u64,
    },
    /// Nothing to do.
    AlreadyOpen,
    /// The gate is to be filled from nothing, and only a storefront, which appends barriers to Kafka, can begin that.
    EndsNeeded,
    /// The gate does not hold the grant (any more): it may have lost orders that stand behind the barriers. Claim again.
    GrantLost,
}

/// How a program stands in the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstallState {
    /// Not there.
    Absent,
    /// There, but filled on another server (a restart, a failover): to be filled again.
    Replaced,
    /// Being filled.
    Loading {
        /// The barriers that it waits for.
        ends: String,
        /// The loader's lease ends in so many ms; 0 when it has ended.
        lease_left_ms: u64,
    },
    /// Open.
    Open,
}

/// An order that Postgres says has its seats.
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
    /// Payment is due in so many ms; nothing once it is paid.
    pub due_in_ms: Option<u64>,
}

/// What a client's key names, as Postgres has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedOrder {
    /// The buyer.
    pub user: UserId,
    /// The client's key.
    pub key: IdempotencyKey,
    /// The order that it named.
    pub order: OrderNumber,
    /// That order's nonce.
    pub nonce: Nonce,
    /// Hash of the request's body in hex digits; empty where it is not known.
    pub body_hash: String,
    /// How long the key is remembered from now, ms.
    pub ttl_ms: u64,
}

/// What merging did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// All are in, tombstoned ones excepted.
    Done {
        /// Orders that held a seat which Postgres gave to another: reconcile each.
        displaced: Vec<(OrderNumber, Nonce)>,
        /// Orders left out because the installed map does not have their seats: raise an alarm.
        outside: Vec<OrderNumber>,
    },
    /// The filling is not the caller's any more.
    Stale,
}
