//! Checks the kind of every value in the template against SAM's schema, also of properties that
//! have no effect here.
//!
//! It runs last, so that a reader's more exact message comes first. Function calls are skipped, as
//! only the readers evaluate them; of `Fn::If` the selected branch is checked. For types that are
//! not in the [`table`], only the resource attributes are checked.

pub(super) mod table;

use super::calls::call;
use super::resource::name_in_messages;
use super::scope::Scope;
use crate::document::{Entry, Kind, Node, hint};

/// Name of the top level in messages.
const TEMPLATE: &str = "the template";

/// The names of all properties of a type of resources or events, those that are read first, as
/// messages list them.
pub(super) fn properties(kind: &str, read: &str) -> String {
    let all: Vec<&str> = table::names(&format!("{kind}/")).collect();
    let read: Vec<&str> = read
        .split_whitespace()
        .filter(|name| all.contains(name))
        .collect();
    let others = all.iter().filter(|name| !read.contains(name));
    let known: Vec<&str> = read.iter().chain(others).copied().collect();
    known.join(" ")
}

/// Reports every value of a wrong kind in the template.
pub(super) fn check(scope: &Scope<'_>) {
    for section in scope.root.entries() {
        value(&section.key, TEMPLATE, section, scope);
        for entry in section.value.entries() {
            match section.key.as_str() {
                "Globals" => {
                    no_call("Globals", entry, scope);
                    value(&format!("Globals/{}", entry.key), "Globals", entry, scope);
                }
                "Resources" => resource(entry, scope),
                _ => {}
            }
        }
    }
}

/// Whether SAM drops a null here: directly in one of its resources, an event or a section of
/// Globals. `CloudFormation` refuses every other null.
fn left_out(path: &str) -> bool {
    let mut parts = path.split('/');
    let first = parts.next().unwrap_or_default();
    let depth = parts.count();
    match first {
        "Globals" => depth == 2,
        _ => depth == 1 && (first.starts_with("AWS::Serverless::") || first.starts_with("event:")),
    }
}

fn resource(resource: &Entry, scope: &Scope<'_>) {
    let id = &resource.key;
    let node = &resource.value;
    attributes(id, node, scope);
    let text = |key: &str| node.get(key).and_then(Node::text);
    if text("Condition").and_then(|name| scope.conditions.get(name)) == Some(&false) {
        return;
    }
    // The table also has sections and events, which are not types of resources.
    let in_table = |kind: &&str| kind.starts_with("AWS::") && table::at(kind).is_some();
    let kind = text("Type").filter(in_table);
    let Some((kind, properties)) = kind.zip(node.entry("Properties")) else {
        return;
    };
    let what = name_in_messages(kind, id);
    no_call(&what, properties, scope);
    inside(kind, &what, &properties.value, scope);
    if kind == "AWS::Serverless::Function"
        && let Some(events) = properties.value.entry("Events")
    {
        no_call(&what, events, scope);
        for entry in settled(&events.value, scope).map_or(&[][..], Node::entries) {
            event(id, entry, scope);
        }
    }
}

/// Reports a function call in place of a mapping that SAM reads before it evaluates functions.
fn no_call(what: &str, entry: &Entry, scope: &Scope<'_>) {
    if let Some(call) = call(&entry.value) {
        let message = format!(
            "{what}: {} must be a mapping, and SAM evaluates no {} here. Write it inside.",
            entry.key, call.key
        );
        scope
            .problems
            .wrong_kind(entry.value.line, &entry.key, message);
    }
}

/// Reports unknown resource attributes, such as a misspelt `Properties`. `CloudFormation` refuses
/// them as well.
fn attributes(id: &str, resource: &Node, scope: &Scope<'_>) {
    for Entry { key, line, .. } in settled(resource, scope).map_or(&[][..], Node::entries) {
        if table::at(&format!("Resources/*/{key}")).is_none() {
            let hint = hint(key, table::names("Resources/*/"));
            let message = format!("resource {id} does not support {key}.{hint}");
            scope.problems.error(*line, message);
        }
    }
}

fn event(function: &str, event: &Entry, scope: &Scope<'_>) {
    const KNOWN: [&str; 2] = ["Type", "Properties"];
    let Some(node) = settled(&event.value, scope) else {
        return;
    };
    let what = format!("event {function}.{}", event.key);
    if !matches!(node.kind, Kind::Map(_)) {
        let found = node.describe();
        let message = format!("{what} must be a mapping with Type and Properties, not {found}.");
        scope.problems.wrong_kind(node.line, &event.key, message);
        return;
    }
    // SAM ignores unknown keys of an event.
    for Entry { key, line, .. } in node.entries() {
        if !KNOWN.contains(&key.as_str()) {
            let hint = hint(key, KNOWN);
            let message = format!("{what} does not support {key}, and SAM ignores it.{hint}");
            scope.problems.warn(*line, message);
        }
    }
    let kind = node.get("Type").and_then(Node::text);
    if let Some((kind, properties)) = kind.zip(node.entry("Properties")) {
        value(&format!("event:{kind}"), &what, properties, scope);
    }
}

/// Checks the value under a key, and all values inside it.
fn value(path: &str, what: &str, entry: &Entry, scope: &Scope<'_>) {
    reference(&entry.value, scope);
    let Some((kinds, node)) = table::at(path).zip(settled(&entry.value, scope)) else {
        return;
    };
    let key = &entry.key;
    let expected = || kinds.expected();
    if node.kind == Kind::Null && left_out(path) {
        let message = format!("{what}: {key} has no value, and SAM leaves it out.");
        scope.problems.warn(node.line, message);
    } else if node.kind == Kind::Null && !kinds.any() {
        if !scope.problems.has_error_on(node.line) {
            let message = format!(
                "{what}: {key} has no value, and CloudFormation takes no null. Write {}, or leave \
                 the key out.",
                expected()
            );
            scope.problems.wrong_kind(node.line, key, message);
        }
    } else if kinds.accept(node) {
        let inner = if what == TEMPLATE {
            key.clone()
        } else {
            format!("{what}: {key}")
        };
        inside(path, &inner, node, scope);
    } else {
        let found = node.describe();
        let message = format!("{what}: {key} must be {}, not {found}.", expected());
        scope.problems.wrong_kind(node.line, key, message);
    }
}

fn inside(path: &str, what: &str, node: &Node, scope: &Scope<'_>) {
    let Some(node) = settled(node, scope) else {
        return;
    };
    for entry in node.entries() {
        let own = format!("{path}/{}", entry.key);
        let any = format!("{path}/*");
        let path = if table::at(&own).is_some() { own } else { any };
        value(&path, what, entry, scope);
    }
    let items = format!("{path}[]");
    let key = path.rsplit('/').next().unwrap_or(path);
    for item in node.items() {
        let Some((kinds, item)) = table::at(&items).zip(settled(item, scope)) else {
            continue;
        };
        if kinds.accept(item) {
            inside(&items, what, item, scope);
        } else {
            let found = item.describe();
            let message = format!("{what}: an item must be {}, not {found}.", kinds.expected());
            scope.problems.wrong_kind(item.line, key, message);
        }
    }
}

/// Checks that `Ref` has a name.
fn reference(node: &Node, scope: &Scope<'_>) {
    let [Entry { key, line, value }] = node.entries() else {
        return;
    };
    if key == "Ref" && value.text().is_none() && !scope.problems.has_error_on(*line) {
        let found = value.describe();
        let message = format!("Ref: Ref takes a name: `!Ref Name`, not {found}.");
        scope.problems.wrong_kind(*line, key, message);
    }
}

/// The written value, through `Fn::If`. `None`: it is a function call, or is removed.
fn settled<'n>(node: &'n Node, scope: &Scope<'_>) -> Option<&'n Node> {
    let function = |entry: &Entry| entry.key.starts_with("Fn::");
    match node.entries() {
        [only] if only.key == "Fn::If" => settled(scope.branch(only)?, scope),
        [only] if only.key == "Ref" => None,
        entries if entries.iter().any(function) => None,
        _ => Some(node),
    }
}
