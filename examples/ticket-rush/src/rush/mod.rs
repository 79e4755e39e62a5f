//! Buyers that rush a sale by a seed: the demo and the chaos harness send the same load.
//!
//! | module | holds |
//! |---|---|
//! | `plan` | what each buyer does, from the seed |
//! | `buyer` | a buyer that executes its plan over HTTP and repeats what failed |
//! | `tally` | what the buyers received |
//! | `completion` | waits until every accepted order is final |

mod buyer;
mod completion;
mod plan;
mod tally;

pub use buyer::Rush;
pub use completion::poll_until_final;
pub use plan::{BuyerPlan, Hall, OrderPlan, Outcome, Repetition, buyers, half};
pub use tally::{Accepted, Counts, FailedRequest, Tally};
