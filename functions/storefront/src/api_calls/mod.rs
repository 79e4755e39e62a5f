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

const SCOPE: &str = "api-calls:read";
