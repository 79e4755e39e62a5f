//! What a pattern is, once it is read.

use super::rule::Rule;

/// A whole pattern.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern(pub(super) Object<Whole>);

/// All of its clauses must hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object<L>(pub(super) Vec<Clause<L>>);

/// One requirement of an object.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Clause<L> {
    /// The field must be as this says.
    Field(L, Node),
    /// `$or`: one of these must hold.
    Any(Vec<Object<L>>),
}

/// Stands for the one field that a whole pattern may speak of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Whole;

/// What a field must be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// A leaf, for which one of the rules holds.
    Leaf(Vec<Rule>),
    /// An object.
    Object(Object<String>),
}
