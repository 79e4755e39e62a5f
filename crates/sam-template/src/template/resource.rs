//! One resource of the template.

use crate::document::Node;

/// A resource whose condition holds.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) id: String,
    pub(super) line: usize,
    pub(super) kind: String,
    /// With the globals merged; intrinsic functions not evaluated.
    pub(super) properties: Node,
    pub(super) metadata: Node,
}
