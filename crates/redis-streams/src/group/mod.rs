//! Consumer groups: each entry goes to one consumer, and to another if it is not acknowledged.

mod ownership;
mod reader;
mod take_over;
mod types;

pub use ownership::GroupState;
pub use reader::GroupReader;
pub(super) use reader::wait_for_entry;
pub use types::{Delivery, GroupCounts, GroupSettings, Hold};
