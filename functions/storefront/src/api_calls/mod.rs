//! API calls for administrators (scope `api-calls:read`): the calls themselves, and their sums.
//!
//! Both are read from what api-data-collector has stored, a short time after each call was
//! answered.

mod conditions;
mod cursor;
mod search;
mod statistics;

pub use search::search;
pub use statistics::statistics;

use crate::http::{Call, Problem};

fn authorize(call: &Call) -> Result<(), Problem> {
    call.claims.user()?;
    call.claims.require_scope("api-calls:read")
}
