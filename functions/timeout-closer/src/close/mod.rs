//! Step 5: orders whose time may be up. [`decide`] is the rule, [`run`] carries it out for a batch of claimed entries.
//!
//! Transaction A closes what is overdue and unpaid. Where there is no row the gate is asked how far the order has come, and only what
//! was given up there is fenced, in transaction B. Then the row decides, the gate is settled by it, and the entry is ended.

mod decide;
mod notes;
mod run;
mod wait;

pub use decide::{Action, Found, decide};
pub use run::{Outcome, RunError, run};
pub use wait::Wait;
