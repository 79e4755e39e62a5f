//! The Redis gate: decides in one step who gets which seats, in front of Postgres, which is the truth.
//!
//! What passes through here, in the order of an order's life:
//!
//! 1. [`Gate::reserve`]: seats, owner, tickets of the user, reservation and timeout entry, all or nothing;
//!    [`Gate::recall`] finds the order of a repeated request where a new one would be refused;
//! 2. [`Gate::accept`]: the message is in Kafka; or [`Gate::abandon`]: nobody knows, so nobody may send it again;
//! 3. [`Gate::settle`]: Postgres has decided; the gate is made to agree, as often as one likes;
//! 4. [`Gate::install_claim`], [`Gate::install_begin`], [`Gate::install_merge`], [`Gate::install_keys`], [`Gate::install_open`]: a gate
//!    that lost its memory, or woke up with another one, is filled again while it is closed;
//! 5. [`Gate::audit`] and [`Gate::mend_tickets`]: the sweep compares all of it, a part at a time, and mends it;
//! 6. [`Gate::wait_begin`], [`Gate::wait_end`]: of the requests that wait for their order a bounded number;
//! 7. [`Gate::reservation`], [`Gate::availability`], [`Gate::seat_map`], [`Gate::taken`] only look.
//!
//! Promises, kept by the scripts under `lua/`:
//!
//! - a seat's byte says taken if and only if the seat has an owner; free counts and longest free runs are always right;
//! - a seat is freed only by the order that owns it; every verb may be repeated;
//! - the header of the program is looked at before anything is written. Without it reserve answers [`Reserved::Rebuild`] and every
//!   other verb does nothing;
//! - one order's changes to seats, reservation and timeout entry are one step. Redis may lose any of it, but only together with all
//!   that came after.
//!
//! Every script is given one key, the program's header unless it says otherwise, and derives the others within its hash tag. Keys:
//! docs/reference/redis.md.

mod audit;
mod filling;
mod install;
mod look;
mod map;
mod orders;
mod queue_shard;
mod reserve;
mod scripts;
mod tickets;
mod types;
mod verbs;
mod waiting;

pub use audit::{Audit, AuditedChunk, Release};
pub use filling::{
    Claim, Epoch, Grant, Install, InstallState, LiveOrder, Merged, NamedOrder, Start,
};
pub use look::{Availability, Reservation, Taken, TakenPage};
pub use orders::{Abandon, Accepted, Settle, SettleTo, Settled};
pub use redis_link::LinkError as GateError;
pub use reserve::{Reserve, Reserved};
pub use tickets::{BuyerPage, BuyerTickets, StoredTickets, TicketCount};
pub use types::{OrderAt, ProgramRef, ResvState, TIMEOUT_QUEUE, TimeoutJob};
pub use verbs::Gate;
pub use waiting::WaitBegun;
