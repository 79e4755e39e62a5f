//! The timeout-closer: ends orders whose time is up, and mends what crashes left.
//!
//! A tick passes through here in this order:
//!
//! 1. [`handler`]: claims due timeout entries of all shards in batches, until none is due or the deadline is near;
//! 2. [`close`]: each batch, order by order: closed in Postgres, fenced, or put off; then the gate is settled and the entry ended;
//! 3. [`fill`]: programs whose gate lost its memory and is being filled again;
//! 4. [`sweep`]: less often, what no entry leads to: overdue rows, waiting payments, rows that the gate has not been settled by, seats without an owner.
//!
//! What it promises: nothing is ended before its time by Postgres' clock; a seat is freed only after the row (or the fence) that
//! allows it is committed; an entry is acknowledged only when its order needs no entry any more, so whatever fails comes back with
//! the lease's end; one bad entry never fails its batch.

pub mod close;
pub mod fill;
pub mod handler;
pub mod sweep;
pub mod traces;

mod settings;

pub use handler::{Closer, Report};
pub use settings::Settings;
