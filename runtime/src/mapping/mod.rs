//! The event source mapping of a stream: the machine of [`event_sources::stream`], and what an invocation means for it.

mod verdict;

pub use event_sources::stream::*;
pub use verdict::verdict;
