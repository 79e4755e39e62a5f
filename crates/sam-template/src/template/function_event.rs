//! One event of a function.

use super::resources::resolved;
use super::scope::Scope;
use super::shapes;
use crate::document::{Node, Reader};

/// One event of a function, as its reader needs it.
pub(super) struct FunctionEvent<'r> {
    /// Function's logical id.
    pub(super) function: &'r str,
    /// `Function.Event`: how messages and usher.toml name it.
    pub(super) id: String,
    /// `Type`.
    pub(super) kind: &'r str,
    pub(super) line: usize,
    /// Not evaluated.
    pub(super) properties: &'r Node,
}

impl FunctionEvent<'_> {
    /// Reports properties that the type does not have, and evaluates those that are read. `what`:
    /// its name in messages.
    pub(super) fn resolved(&self, what: &str, read: &str, scope: &Scope<'_>) -> Option<Node> {
        let known = shapes::properties(&format!("event:{}", self.kind), read);
        Reader::new(self.properties, what, scope.problems).only(&known);
        resolved(self.properties, read, scope)
    }
}
