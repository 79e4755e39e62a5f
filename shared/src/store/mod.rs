//! Postgres, the truth. What it holds is `docs/reference/postgres.md`; this room is the only one that reads or writes it.
//!
//! What passes through, in the order of an order's life:
//!
//! | file | carries out |
//! |---|---|
//! | [`migrate`](Store::migrate) | schema and tables, once per deployment, safe to repeat and to run twice at once |
//! | `programs`, `program_changes` | what is on sale, and its changes |
//! | `outbox` | changes that are committed and not yet published |
//! | [`create`] | a batch of requested orders, in one transaction ([`Store::store_orders`]) |
//! | `payments`, `cancel`, `fence`, `close` | one conditional change each |
//! | `payment_book` | payments as operators see them, and what was refunded |
//! | `sweep` | what a crash left behind: overdue and dirty orders |
//! | [`api_calls`] | a batch of API calls, in one transaction ([`Store::collect_calls`]); queries; retention |
//! | `lookup` | orders and the progress of create, for those who only look |
//! | `named` | orders by their clients' keys, for a gate that has lost its keys |
//! | `parked` | records set aside: listed, shown, put back, given up |
//! | `barriers` | what proves that an accepted order is lost |
//! | `gaps` | offsets that a consumer never received: kept, listed, closed |
//!
//! Promises:
//! - Every change of an order is one conditional UPDATE; nothing is read first and written later.
//! - Every change leaves the order *dirty* until somebody has told the gate ([`Store::clear_dirty`], [`Store::clear_batch`]).
//! - Where a change finds no row, a later statement says why; an answer that contradicts it repeats the change (`repeat`).
//! - Writers lock orders ascending by number, then seats; a deadlock or a serialization failure is repeated here.
//! - An orphaned transaction ends itself: every connection carries timeouts and keepalives.
//! - Every wait for Postgres is bounded here too (`pool`): a connection on which nothing is answered, or that leads to a server which
//!   takes no writes (SQLSTATE 25006, 57P0x), is closed and replaced. A commit whose answer is lost may have been made.
//! - Statements are `.sql` files, each opening with its contract.

pub mod api_calls;
pub mod create;

mod arrival;
mod barriers;
mod batch_result;
mod cancel;
mod close;
mod connect;
mod error;
mod fence;
mod gaps;
mod keyed_orders;
mod lookup;
mod migrate;
mod outbox;
mod park;
mod parked;
mod payment_book;
mod payments;
mod pool;
mod program_changes;
mod programs;
mod progress;
mod retry;
mod row;
mod sweep;

pub use api_calls::{
    CallFilter, CallPlace, CallRow, CollectedBatch, Forgotten, GroupBy, GroupSums, SumFilter,
};
pub use arrival::Arrival;
pub use barriers::BarrierWait;
pub use batch_result::{BatchResult, Unfinished};
pub use cancel::Cancel;
pub use close::{CloseDecision, Closing};
pub use create::{Decision, Holder, StoredBatch, StoredOrder, UnsettledBatch};
pub use error::StoreError;
pub use fence::{Fence, Fenced};
pub use gaps::{GapRow, OffsetRange};
pub use keyed_orders::KeyedOrder;
pub use lookup::{BacklogCounts, LiveOrders, Progress};
pub use migrate::Migrated;
pub use parked::{
    Discard, Discarded, ParkedDetail, ParkedId, ParkedRecord, ParkedState, ReplayAttempt,
    ReplayBegun, ReplayEnd, ToReplay,
};
pub use payment_book::{PaymentFilter, PaymentId, PaymentRow, PaymentState, Refund, Refunded};
pub use payments::{Paid, Payment, PaymentResult};
pub use program_changes::{Changed, Switched};
pub use row::OrderRow;

use self::pool::Pool;

/// One environment's schema in Postgres. Cheap to clone; connects when first used.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool,
    schema: String,
}
