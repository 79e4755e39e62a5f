//! One event of a function.

use crate::document::Node;

/// One event of a function, as its reader needs it.
pub(super) struct FunctionEvent<'r> {
    /// Function's logical id.
    pub(super) function: &'r str,
    /// `Function.Event`: how messages and usher.toml name it.
    pub(super) id: String,
    pub(super) line: usize,
    /// Not evaluated.
    pub(super) properties: &'r Node,
}
