//! What is known of calls of the API, for administrators (scope `api-calls:read`): the calls themselves, and their sums.
//!
//! Both are what the collector has stored: a call shows up a moment after it was answered.

mod conditions;
mod place;
mod search;
mod statistics;

pub use search::search;
pub use statistics::statistics;

use crate::http::{Call, Problem};

/// Who may look.
fn admit(call: &Call) -> Result<(), Problem> {
    call.claims.user()?;
    call.claims.require_scope("api-calls:read")
}
