//! The timeout-closer: closes orders whose time to pay is over, and repairs what crashes left.
//!
//! A [`tick`] runs the maintenance [`jobs`]: the due timeout entries and the unfinished gates on
//! every tick, the sweep jobs less often.
//!
//! One of the jobs sends [`refunds`] to the payment provider.
//!
//! Guarantees: no order ends before its time by the clock of Postgres. A seat is freed only after
//! the row, or the fence, that allows it is committed. An entry is acknowledged only when its order
//! needs no entry any more, so an entry that failed is claimed again when its lease ends. One bad
//! entry never fails its batch.

pub mod jobs;
pub mod refunds;

mod closer;
mod closing_span;
mod report;
mod settings;
mod tick;

pub use closer::Closer;
pub use report::{ClosingCounts, RefillCounts, SweepReport, TickReport};
pub use settings::Settings;
pub use tick::TickError;
