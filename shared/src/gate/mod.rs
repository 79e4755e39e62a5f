//! The gate: decides in Redis, in one step, which buyer gets which seats. Postgres behind it is the
//! source of truth.
//!
//! In the order of an order's life:
//!
//! 1. [`Gate::reserve`] takes seats, owner, tickets of the user, reservation and timeout entry, or
//!    nothing. [`Gate::recall`] finds the order of a repeated request.
//! 2. [`Gate::accept`] records that the message is in Kafka; [`Gate::abandon`] that it is unknown,
//!    so that no process publishes it again.
//! 3. [`Gate::confirm_all`] marks new orders as stored that Redis knows as Postgres does;
//!    [`Gate::settle`] applies the state of any order in Postgres, any number of times.
//! 4. [`Gate::install_claim`], [`Gate::install_begin`], [`Gate::install_merge`],
//!    [`Gate::install_keys`] and [`Gate::install_open`] fill a closed gate after Redis lost its
//!    data or went back in time.
//! 5. [`Gate::install_seats`] adds the seats of a newer version of a program, and blocks seats.
//! 6. [`Gate::audit`] and [`Gate::repair_tickets`] compare the gate with Postgres, a part at a
//!    time.
//! 7. [`Gate::wait_begin`] and [`Gate::wait_end`] bound how many requests wait for their order.
//! 8. [`Gate::room_join`], [`Gate::room_look`], [`Gate::room_admit`] and [`Gate::room_admission`] are
//!    the waiting room of a program, before its orders.
//! 8. [`Gate::reservation`], [`Gate::availability`], [`Gate::seat_map`] and [`Gate::taken`] read.
//!
//! Invariants, kept by the scripts in `lua/`:
//!
//! - A seat's byte is `taken` if and only if the seat has an owner; free counts and longest free
//!   runs match the seats. No script gives a blocked seat to a new order.
//! - Only the order that owns a seat frees it. Every script may be repeated.
//! - A script checks the program's header before it writes. Without a header reserve returns
//!   [`Reserved::Rebuild`], and every other script changes nothing.
//! - The changes of one order to seats, reservation and timeout entry are one step. Redis may lose
//!   them, but only together with all later changes.
//!
//! Every script has one key, the program's header unless it says otherwise, and derives the others
//! within its hash tag. Keys: docs/reference/redis.md.

mod audit;
mod confirm;
mod connection;
mod filling;
mod install;
mod orders;
mod program_seats;
mod queue_shard;
mod read;
mod reservation;
mod reserve;
mod room;
mod scripts;
mod seat_rows;
mod tickets;
mod types;

mod waiting;

pub use audit::{Audit, AuditedChunk, Release};
pub use confirm::{NewOrder, Unconfirmed};
pub use connection::Gate;
pub use filling::{
    Epoch, FillBegun, FillClaim, FillGrant, FillStart, InstallState, LiveOrder, Merged, NamedOrder,
};
pub use orders::{Abandoned, Accepted, SETTLE_GROUP, Settle, SettleTo, Settled};
pub use program_seats::{SeatChanges, SeatsInstalled, chunk_seats};
pub use read::{Availability, Taken, TakenPage};
pub use redis_link::LinkError as GateError;
pub use reservation::Reservation;
pub use reserve::{HoldRequest, Reserved};
pub use room::{GrantedRound, RoomLimits, RoomPlace, RoomTicket, RoundEnd};
pub use tickets::{BuyerPage, BuyerTickets, StoredTickets, TicketCount};
pub use types::{OrderAt, ProgramRef, ReservationState, TIMEOUT_QUEUE, TimeoutJob};
pub use waiting::WaitBegun;
