//! Warns of properties that would change what a client or a function receives and are not applied
//! here. Other properties that are left out are labels, permissions and features of the cloud.

use super::scope::Scope;
use crate::document::Node;

/// A line is the type of the resource, the property, and what happens without it.
const UNAPPLIED: &str = include_str!("unapplied.txt");

/// Warns of each with its line.
pub(super) fn check(scope: &Scope<'_>) {
    let rows = UNAPPLIED.lines().filter_map(|row| {
        let (kind, rest) = row.split_once(' ')?;
        Some((kind, rest.split_once(' ')?))
    });
    for (kind, (property, without)) in rows {
        for resource in scope.of_kind(kind) {
            let Some(line) = resource.properties.line_of(property) else {
                continue;
            };
            // A value that is switched off, or removed by a condition, changes nothing.
            let value = scope
                .problems
                .ignoring(|| resource.resolved(property, scope));
            let is_on = |value: Node| value.get(property).is_some_and(|value| !is_off(value));
            if value.is_none_or(is_on) {
                let message = format!("{}: {property} is not applied: {without}.", resource.id);
                scope.problems.warn(line, message);
            }
        }
    }
}

fn is_off(value: &Node) -> bool {
    let text = value.text();
    text.is_some_and(|text| text.eq_ignore_ascii_case("false"))
}
