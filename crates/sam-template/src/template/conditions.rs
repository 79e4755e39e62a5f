//! Decides the Conditions section. Conditions may name each other, not themselves.

use std::collections::BTreeSet;

use super::calls::{FOR_EACH, call, for_each};
use super::intrinsics::{resolve, unknown_condition};
use super::scope::Scope;
use crate::document::{Entry, Node, Problems};

/// Decides every condition and leaves the results in the scope.
pub(super) fn decide(root: &Node, scope: &mut Scope<'_>, problems: &mut Problems) {
    let section = root.get("Conditions").map_or(&[][..], Node::entries);
    for entry in section {
        if entry.key.starts_with(FOR_EACH) {
            for_each(entry, problems);
            continue;
        }
        let mut open = BTreeSet::new();
        named(entry, section, &mut open, scope, problems);
    }
}

fn named<'s>(
    entry: &'s Entry,
    section: &'s [Entry],
    open: &mut BTreeSet<&'s str>,
    scope: &mut Scope<'_>,
    problems: &mut Problems,
) -> bool {
    if let Some(decided) = scope.conditions.get(&entry.key) {
        return *decided;
    }
    if !open.insert(&entry.key) {
        problems.error(
            entry.line,
            format!(
                "condition {} depends on itself. Break the circle.",
                entry.key
            ),
        );
        return false;
    }
    let decided = evaluate(&entry.value, section, open, scope, problems);
    scope.conditions.insert(entry.key.clone(), decided);
    decided
}

fn evaluate<'s>(
    node: &'s Node,
    section: &'s [Entry],
    open: &mut BTreeSet<&'s str>,
    scope: &mut Scope<'_>,
    problems: &mut Problems,
) -> bool {
    let Some(function) = node.single() else {
        problems.error(
            node.line,
            format!(
                "a condition is one of Fn::Equals, Fn::And, Fn::Or, Fn::Not, Condition; here is \
                 {}.",
                node.describe()
            ),
        );
        return false;
    };
    let items = function.value.items();
    match function.key.as_str() {
        "Condition" => {
            if let Some(entry) = section
                .iter()
                .find(|e| Some(e.key.as_str()) == function.value.text())
            {
                named(entry, section, open, scope, problems)
            } else {
                unknown_condition(&function.value, scope, problems);
                false
            }
        }
        "Fn::Equals" if items.len() == 2 => {
            let a = resolve(&items[0], scope, problems);
            let b = resolve(&items[1], scope, problems);
            a.kind == b.kind
        }
        // Every side is evaluated, so that mistakes on all sides are reported.
        "Fn::And" | "Fn::Or" if (2..=10).contains(&items.len()) => {
            let sides: Vec<bool> = items
                .iter()
                .map(|item| evaluate(item, section, open, scope, problems))
                .collect();
            if function.key == "Fn::And" {
                sides.iter().all(|s| *s)
            } else {
                sides.iter().any(|s| *s)
            }
        }
        "Fn::Not" if items.len() == 1 => !evaluate(&items[0], section, open, scope, problems),
        name @ ("Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not") => {
            let takes = match name {
                "Fn::Equals" => "two values",
                "Fn::Not" => "one condition, in a list",
                _ => "two to ten conditions",
            };
            problems.error(function.line, format!("{name} takes {takes}."));
            false
        }
        _ if call(node).is_some() => {
            let value = resolve(node, scope, problems);
            if !matches!(value.text(), Some("true" | "false")) {
                problems.error(
                    node.line,
                    format!(
                        "{} is not a condition. Compare it: !Equals [..., value].",
                        function.key
                    ),
                );
            }
            value.text() == Some("true")
        }
        other => {
            problems.error(
                function.line,
                format!(
                    "{other} is not a condition. Write Fn::Equals, Fn::And, Fn::Or, Fn::Not or \
                     Condition."
                ),
            );
            false
        }
    }
}
