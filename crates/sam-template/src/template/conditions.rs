//! Decides the Conditions section. Conditions may name each other, not themselves.

use std::collections::BTreeSet;

use super::calls::{FOR_EACH, call, for_each};
use super::intrinsics::{resolve, unknown_condition};
use super::scope::Scope;
use crate::document::{Entry, Node};

/// Decides every condition and leaves the results in the scope.
pub(super) fn decide(scope: &mut Scope<'_>) {
    let section = scope.root.get("Conditions").map_or(&[][..], Node::entries);
    for entry in section {
        if entry.key.starts_with(FOR_EACH) {
            for_each(entry, scope.problems);
            continue;
        }
        let open = BTreeSet::new();
        Decision {
            section,
            open,
            scope,
        }
        .named(entry);
    }
}

/// One condition in evaluation, with those that it names.
struct Decision<'d, 't> {
    section: &'t [Entry],
    /// Names that are being decided: a reference to one closes a circle.
    open: BTreeSet<&'t str>,
    scope: &'d mut Scope<'t>,
}

impl<'t> Decision<'_, 't> {
    fn named(&mut self, entry: &'t Entry) -> bool {
        if let Some(decided) = self.scope.conditions.get(&entry.key) {
            return *decided;
        }
        if !self.open.insert(&entry.key) {
            let message = "depends on itself. Break the circle.";
            return self.failed(entry.line, format!("condition {} {message}", entry.key));
        }
        let decided = self.evaluate(&entry.value);
        self.scope.conditions.insert(entry.key.clone(), decided);
        decided
    }

    fn evaluate(&mut self, node: &'t Node) -> bool {
        let Some(function) = node.single() else {
            let message = format!(
                "a condition is one of Fn::Equals, Fn::And, Fn::Or, Fn::Not, Condition; here is \
                 {}.",
                node.describe()
            );
            return self.failed(node.line, message);
        };
        let items = function.value.items();
        match function.key.as_str() {
            "Condition" => {
                let name = function.value.text();
                if let Some(entry) = self.section.iter().find(|e| Some(e.key.as_str()) == name) {
                    return self.named(entry);
                }
                unknown_condition(&function.value, self.scope);
                false
            }
            "Fn::Equals" if items.len() == 2 => {
                let a = resolve(&items[0], self.scope);
                let b = resolve(&items[1], self.scope);
                a.kind == b.kind
            }
            // Every side is evaluated, so that mistakes on all sides are reported.
            "Fn::And" | "Fn::Or" if (2..=10).contains(&items.len()) => {
                let sides: Vec<bool> = items.iter().map(|item| self.evaluate(item)).collect();
                if function.key == "Fn::And" {
                    sides.iter().all(|s| *s)
                } else {
                    sides.iter().any(|s| *s)
                }
            }
            "Fn::Not" if items.len() == 1 => !self.evaluate(&items[0]),
            name @ ("Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not") => {
                let takes = match name {
                    "Fn::Equals" => "two values",
                    "Fn::Not" => "one condition, in a list",
                    _ => "two to ten conditions",
                };
                self.failed(function.line, format!("{name} takes {takes}."))
            }
            name if call(node).is_some() => {
                let value = resolve(node, self.scope);
                if !matches!(value.text(), Some("true" | "false")) {
                    let message =
                        format!("{name} is not a condition. Compare it: !Equals [..., value].");
                    self.failed(node.line, message);
                }
                value.text() == Some("true")
            }
            other => {
                let message = format!(
                    "{other} is not a condition. Write Fn::Equals, Fn::And, Fn::Or, Fn::Not or \
                     Condition."
                );
                self.failed(function.line, message)
            }
        }
    }

    /// Reports an error; the condition counts as false.
    fn failed(&self, line: usize, message: String) -> bool {
        self.scope.problems.error(line, message);
        false
    }
}
