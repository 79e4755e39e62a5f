//! The parsed form of a pattern.

use super::rule::Rule;

/// A whole pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(pub(super) Object<Whole>);

/// All of its clauses must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object<L>(pub(super) Vec<Clause<L>>);

/// One requirement of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Clause<L> {
    /// The field must match.
    Field(L, Node),
    /// `$or`: one of these must match.
    Any(Vec<Object<L>>),
}

/// Label of the one field that a whole pattern may describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole;

/// What a field must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// A leaf, for which one of the rules holds.
    Leaf(Vec<Rule>),
    /// An object.
    Object(Object<String>),
}
