//! Postgres, the source of truth. Only this module reads or writes it;
//! `docs/reference/postgres.md` describes its tables.
//!
//! The files, in the order of an order's life:
//!
//! | file | does |
//! |---|---|
//! | [`migrate`](Store::migrate), `roles` | schema, tables and rights; safe to repeat and to run concurrently |
//! | `database`, `login`, `connect`, `pool` | how connections are opened, kept and replaced |
//! | `programs`, `program_changes` | what is on sale, and its changes |
//! | `program_seats` | seats added to a program, blocked and unblocked |
//! | `outbox` | program changes that are committed and not yet published |
//! | [`create`] | a batch of requested orders, in one statement or transaction ([`Store::store_orders`]) |
//! | `payments`, `cancel`, `fence`, `close` | one conditional change each |
//! | `payment_book` | payments for operators |
//! | `refunds` | refunds: handed out to the provider, each until its answer |
//! | `refund_requests` | what operators decide: refunds of paid orders, payments assigned to orders |
//! | `sweep` | overdue and dirty orders that a crash left |
//! | `retention` | rows that are deleted after their time |
//! | `lookup` | orders, the progress of order-create, and backlogs |
//! | `keyed_orders` | orders by their clients' keys, for a gate that has lost its keys |
//! | `parked` | parked records: listed, shown, replayed, discarded |
//! | `barriers` | proof that an accepted order is lost |
//! | `gaps` | offsets that a consumer never received: recorded, listed, closed |
//!
//! Guarantees:
//! - Every change of an order is one conditional UPDATE, without a read before it.
//! - Every change leaves the order *dirty*, or listed in a batch, until the gate is settled by it
//!   ([`Store::settled`], [`Store::end_batches`], [`Store::clear_batch`]).
//! - If a change finds no row, a later statement finds out why. If that answer contradicts the
//!   change, the change is repeated (`retry`).
//! - Writers lock orders ascending by number, then seats; `create` locks its progress before.
//!   Deadlocks and serialization failures are repeated here.
//! - An orphaned transaction ends: every connection carries timeouts and keepalives.
//! - Every wait for Postgres is bounded (`pool`). A connection that does not answer, or whose
//!   server takes no writes (SQLSTATE 25006, 57P0x), is closed and replaced. A commit whose answer
//!   is lost may have been made.
//! - Statements are `.sql` files. Each begins with its contract.

pub mod create;

mod arrival;
mod barriers;
mod batch_result;
mod cancel;
mod close;
pub(crate) mod columns;
pub(crate) mod connect;
mod connect_error;
mod database;
mod error;
mod fence;
pub(crate) mod gaps;
mod keyed_orders;
mod login;
mod lookup;
mod migrate;
mod outbox;
pub(crate) mod park;
mod parked;
mod payment_book;
mod payments;
pub(crate) mod pool;
mod program_changes;
mod program_seats;
mod programs;
pub(crate) mod progress;
mod refund_requests;
mod refunds;
mod retention;
mod retry;
mod roles;
mod row;
mod sweep;

pub use arrival::Arrival;
pub use barriers::BarrierWait;
pub use batch_result::{BatchResult, Unfinished};
pub use cancel::Cancel;
pub use close::{CloseDecision, Closing, Closings};
pub use connect::SESSION;
pub use connect_error::ConnectError;
pub use create::{Decision, Holder, StoredBatch, StoredOrder, StoredRow, UnsettledBatch};
pub use database::Database;
pub use error::StoreError;
pub use fence::{Fence, Fenced};
pub use gaps::{GapRow, OffsetRange};
pub use keyed_orders::KeyedOrder;
pub use login::{Login, LoginError, LoginRequest, LoginSource};
pub use lookup::{BacklogCounts, LiveOrders, Progress};
pub use migrate::Migrated;
pub use parked::{
    Discard, Discarded, ParkedDetail, ParkedId, ParkedRecord, ParkedState, ReplayAttempt,
    ReplayBegun, ReplayEnd, ToReplay,
};
pub use payment_book::{PaymentFilter, PaymentId, PaymentRow, PaymentState, Refund, Refunded};
pub use payments::{Paid, Payment, PaymentResult};
pub use program_changes::{Changed, Switched};
pub use program_seats::{BlockedRange, ProgramSeats, SeatBlock, SeatsAdded, SeatsBlocked};
pub use refund_requests::{Assigned, RefundRequest, RefundRequested};
pub use refunds::{
    HandedOut, RefundCounts, RefundDone, RefundFilter, RefundId, RefundRow, RefundState,
};
pub use retention::Deleted;
pub use roles::Roles;
pub use row::OrderRow;

use self::pool::Pool;

/// The schema of one environment. Cheap to clone; connects on first use.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) pool: Pool,
    schema: String,
}
