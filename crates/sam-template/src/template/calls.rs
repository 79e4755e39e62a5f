//! Calls of intrinsic functions: how a template writes them, and reports of invalid ones.

use crate::document::{Entry, Node, Problems, did_you_mean};

/// The functions that this host evaluates.
const KNOWN: &str = "Ref, Condition, Fn::Sub, Fn::GetAtt, Fn::Join, Fn::If, Fn::Equals, Fn::And, \
    Fn::Or, Fn::Not, Fn::Select, Fn::Split, Fn::FindInMap, Fn::Base64, Fn::ImportValue, \
    Fn::GetAZs, Fn::Length, Fn::ToJsonString";

/// Prefix of the loops of `AWS::LanguageExtensions`; a name follows.
pub(super) const FOR_EACH: &str = "Fn::ForEach";

/// The function call that a mapping stands for, if any.
pub(super) fn call(node: &Node) -> Option<&Entry> {
    node.single()
        .filter(|entry| entry.key == "Ref" || entry.key.starts_with("Fn::"))
}

/// Reports a loop, which only the service unrolls.
pub(super) fn for_each(entry: &Entry, problems: &Problems) -> Node {
    let message = format!(
        "{}: loops of AWS::LanguageExtensions are not unrolled by this host. Write out what it \
         makes.",
        entry.key
    );
    problems.error(entry.line, message);
    Node::null(entry.line)
}

/// Reports a function that does not exist, or that this host does not evaluate.
pub(super) fn unknown_function(entry: &Entry, problems: &Problems) -> Node {
    let hint = did_you_mean(&entry.key, KNOWN.split(", "))
        .unwrap_or_else(|| format!("Known are {KNOWN}."));
    let message = format!(
        "{} is not a function this host evaluates. {hint}",
        entry.key
    );
    problems.error(entry.line, message);
    Node::null(entry.line)
}
