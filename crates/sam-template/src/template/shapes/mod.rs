//! Checks the kind of every value in the template against SAM's schema, also of properties that
//! have no effect here.
//!
//! It runs last, so that a reader's more exact message comes first. Function calls are skipped, as
//! only the readers evaluate them; of `Fn::If` the selected branch is checked. For types that are
//! not in the [`table`], only the resource attributes are checked.

mod table;

use super::calls::call;
use super::scope::Scope;
use crate::document::{Entry, Kind, Node, Problems, nearest};

/// Name of the top level in messages.
const TEMPLATE: &str = "the template";

/// Types in the table.
const READ: [&str; 7] = [
    "AWS::ApiGatewayV2::Api",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::SQS::Queue",
    "AWS::Serverless::Api",
    "AWS::Serverless::Function",
    "AWS::Serverless::HttpApi",
];

/// Reports every value of a wrong kind in the template.
pub(super) fn check(root: &Node, scope: &Scope<'_>, problems: &mut Problems) {
    let mut check = Check { scope, problems };
    for section in root.entries() {
        check.value(&section.key, TEMPLATE, section);
        match section.key.as_str() {
            "Globals" => {
                for globals in section.value.entries() {
                    check.no_call("Globals", globals);
                    check.value(&format!("Globals/{}", globals.key), "Globals", globals);
                }
            }
            "Resources" => {
                for resource in section.value.entries() {
                    check.resource(resource);
                }
            }
            _ => {}
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

struct Check<'c, 't> {
    scope: &'c Scope<'t>,
    problems: &'c mut Problems,
}

impl Check<'_, '_> {
    fn resource(&mut self, resource: &Entry) {
        let id = &resource.key;
        let node = &resource.value;
        self.attributes(id, node);
        let condition = node
            .get("Condition")
            .and_then(Node::text)
            .and_then(|name| self.scope.conditions.get(name));
        if condition == Some(&false) {
            return;
        }
        let kind = node
            .get("Type")
            .and_then(Node::text)
            .filter(|kind| READ.contains(kind));
        let properties = node
            .entries()
            .iter()
            .find(|entry| entry.key == "Properties");
        let Some((kind, properties)) = kind.zip(properties) else {
            return;
        };
        let what = match kind {
            "AWS::Serverless::Function" => format!("function {id}"),
            "AWS::SQS::Queue" => format!("queue {id}"),
            "AWS::Lambda::EventSourceMapping" => format!("mapping {id}"),
            "AWS::Lambda::EventInvokeConfig" => format!("{id} ({kind})"),
            _ => format!("API {id}"),
        };
        self.no_call(&what, properties);
        self.inside(kind, &what, &properties.value);
        if kind != "AWS::Serverless::Function" {
            return;
        }
        let Some(events) = properties
            .value
            .entries()
            .iter()
            .find(|entry| entry.key == "Events")
        else {
            return;
        };
        self.no_call(&what, events);
        for event in self.settled(&events.value).map_or(&[][..], Node::entries) {
            self.event(id, event);
        }
    }

    /// Reports a function call in place of a mapping that SAM reads before it evaluates functions.
    fn no_call(&mut self, what: &str, entry: &Entry) {
        let Some(call) = call(&entry.value) else {
            return;
        };
        let message = format!(
            "{what}: {} must be a mapping, and SAM evaluates no {} here. Write it inside.",
            entry.key, call.key
        );
        self.wrong(&entry.value, &entry.key, message);
    }

    /// Reports unknown resource attributes, such as a misspelt `Properties`. `CloudFormation`
    /// refuses them as well.
    fn attributes(&mut self, id: &str, resource: &Node) {
        let Some(resource) = self.settled(resource) else {
            return;
        };
        for entry in resource
            .entries()
            .iter()
            .filter(|entry| table::at(&format!("Resources/*/{}", entry.key)).is_none())
        {
            let hint = nearest(&entry.key, table::below("Resources/*"))
                .map(|near| format!(" Did you mean {near}?"));
            let message = format!(
                "resource {id} does not support {}.{}",
                entry.key,
                hint.unwrap_or_default()
            );
            self.problems.error(entry.line, message);
        }
    }

    /// Warns of unknown keys of an event, which SAM ignores.
    fn keys_of_event(&mut self, what: &str, event: &Node) {
        const KNOWN: [&str; 2] = ["Type", "Properties"];
        for entry in event
            .entries()
            .iter()
            .filter(|entry| !KNOWN.contains(&entry.key.as_str()))
        {
            let hint = nearest(&entry.key, KNOWN)
                .map(|near| format!(" Did you mean {near}?"))
                .unwrap_or_default();
            self.problems.warn(
                entry.line,
                format!(
                    "{what} does not support {}, and SAM ignores it.{hint}",
                    entry.key
                ),
            );
        }
    }

    fn event(&mut self, function: &str, event: &Entry) {
        let Some(node) = self.settled(&event.value) else {
            return;
        };
        let what = format!("event {function}.{}", event.key);
        if !matches!(node.kind, Kind::Map(_)) {
            self.wrong(
                node,
                &event.key,
                format!(
                    "{what} must be a mapping with Type and Properties, not {}.",
                    node.describe()
                ),
            );
            return;
        }
        self.keys_of_event(&what, node);
        let kind = node
            .get("Type")
            .and_then(Node::text)
            .map(|kind| format!("event:{kind}"));
        let properties = node
            .entries()
            .iter()
            .find(|entry| entry.key == "Properties");
        if let Some((kind, properties)) = kind.zip(properties) {
            self.value(&kind, &what, properties);
        }
    }

    /// Checks the value under a key, and all values inside it.
    fn value(&mut self, path: &str, what: &str, entry: &Entry) {
        self.reference(&entry.value);
        let Some((kinds, node)) = table::at(path).zip(self.settled(&entry.value)) else {
            return;
        };
        let key = &entry.key;
        if node.kind == Kind::Null && left_out(path) {
            self.problems.warn(
                node.line,
                format!("{what}: {key} has no value, and SAM leaves it out."),
            );
        } else if node.kind == Kind::Null && !kinds.any() {
            if !self.problems.has_error_on(node.line) {
                let message = format!(
                    "{what}: {key} has no value, and CloudFormation takes no null. Write {}, or \
                     leave the key out.",
                    kinds.expected()
                );
                self.wrong(node, key, message);
            }
        } else if kinds.accept(node) {
            let inner = if what == TEMPLATE {
                key.clone()
            } else {
                format!("{what}: {key}")
            };
            self.inside(path, &inner, node);
        } else {
            self.wrong(
                node,
                key,
                format!(
                    "{what}: {key} must be {}, not {}.",
                    kinds.expected(),
                    node.describe()
                ),
            );
        }
    }

    fn inside(&mut self, path: &str, what: &str, node: &Node) {
        let Some(node) = self.settled(node) else {
            return;
        };
        for entry in node.entries() {
            let own = format!("{path}/{}", entry.key);
            let path = if table::at(&own).is_some() {
                own
            } else {
                format!("{path}/*")
            };
            self.value(&path, what, entry);
        }
        let items = format!("{path}[]");
        let key = path.rsplit('/').next().unwrap_or(path);
        for item in node.items() {
            let Some((kinds, item)) = table::at(&items).zip(self.settled(item)) else {
                continue;
            };
            if kinds.accept(item) {
                self.inside(&items, what, item);
            } else {
                let message = format!(
                    "{what}: an item must be {}, not {}.",
                    kinds.expected(),
                    item.describe()
                );
                self.wrong(item, key, message);
            }
        }
    }

    /// Checks that `Ref` has a name.
    fn reference(&mut self, node: &Node) {
        let [Entry { key, line, value }] = node.entries() else {
            return;
        };
        if key == "Ref" && value.text().is_none() && !self.problems.has_error_on(*line) {
            let message = format!(
                "Ref: Ref takes a name: `!Ref Name`, not {}.",
                value.describe()
            );
            self.problems.wrong_kind(*line, key, message);
        }
    }

    fn wrong(&mut self, node: &Node, key: &str, message: String) {
        self.problems.wrong_kind(node.line, key, message);
    }

    /// The written value, through `Fn::If`. `None`: it is a function call, or is removed.
    fn settled<'n>(&self, node: &'n Node) -> Option<&'n Node> {
        let function = |entry: &Entry| entry.key.starts_with("Fn::");
        match node.entries() {
            [only] if only.key == "Fn::If" => match only.value.items() {
                [condition, yes, no] => {
                    let holds = *self.scope.conditions.get(condition.text()?)?;
                    self.settled(if holds { yes } else { no })
                }
                _ => None,
            },
            [only] if only.key == "Ref" => None,
            entries if entries.iter().any(function) => None,
            _ => Some(node),
        }
    }
}
