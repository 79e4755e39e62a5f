//! Compares a record with a pattern.

use serde_json::Value;

use super::pattern::{Clause, Node, Object, Pattern};
use super::rule::Rule;

/// The field of a record that patterns describe.
#[derive(Debug)]
pub(super) enum Data {
    /// The field is absent: a Kafka record without a value.
    Absent,
    /// Not JSON, or a lone JSON scalar, which counts as text.
    Text(Value),
    /// A JSON object or array.
    Json(Value),
}

impl Data {
    /// `None`: the bytes are not UTF-8, which no pattern matches.
    pub(super) fn read(bytes: Option<&[u8]>) -> Option<Self> {
        let Some(bytes) = bytes else {
            return Some(Self::Absent);
        };
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        // the first byte excludes most texts that are not JSON
        if matches!(first, Some(b'{' | b'['))
            && let Ok(value) = strict_json::from_slice(bytes)
        {
            return Some(Self::Json(value));
        }
        Some(Self::Text(Value::String(
            std::str::from_utf8(bytes).ok()?.to_owned(),
        )))
    }
}

impl Pattern {
    pub(super) fn matches(&self, data: &Data) -> bool {
        all(&self.0, &|_, node| whole(node, data))
    }
}

fn whole(node: &Node, data: &Data) -> bool {
    match (node, data) {
        (Node::Leaf(rules), Data::Text(text)) => leaf(rules, Some(text)),
        (Node::Leaf(rules), Data::Absent) => leaf(rules, None),
        (Node::Object(object), Data::Json(value)) => inside(object, Some(value)),
        // the formats differ
        (Node::Leaf(_), Data::Json(_)) | (Node::Object(_), Data::Text(_) | Data::Absent) => false,
    }
}

/// Whether every clause holds; `field` evaluates a field by its label.
fn all<L>(object: &Object<L>, field: &impl Fn(&L, &Node) -> bool) -> bool {
    object.0.iter().all(|clause| match clause {
        Clause::Field(label, node) => field(label, node),
        Clause::Any(objects) => objects.iter().any(|object| all(object, field)),
    })
}

/// In an array, one object must match by itself.
fn inside(object: &Object<String>, value: Option<&Value>) -> bool {
    match value {
        Some(Value::Array(items))
            if items.iter().any(|item| item.is_object() || item.is_array()) =>
        {
            items
                .iter()
                .filter(|item| item.is_object() || item.is_array())
                .any(|item| inside(object, Some(item)))
        }
        value => all(object, &|name: &String, node| {
            let found = value.and_then(|value| value.get(name));
            match node {
                Node::Leaf(rules) => leaf(rules, found),
                Node::Object(object) => inside(object, found),
            }
        }),
    }
}

/// In an array, a rule must hold for one value.
fn leaf(rules: &[Rule], found: Option<&Value>) -> bool {
    let mut values = Vec::new();
    leaves(found, &mut values);
    rules.iter().any(|rule| match rule {
        Rule::Exists(wanted) => values.is_empty() != *wanted,
        rule => values.iter().any(|value| rule.holds(value)),
    })
}

/// The values to which rules apply. Objects are excluded, so that `exists` applies to leaves only.
fn leaves<'v>(found: Option<&'v Value>, out: &mut Vec<&'v Value>) {
    match found {
        None | Some(Value::Object(_)) => {}
        Some(Value::Array(items)) => items.iter().for_each(|item| leaves(Some(item), out)),
        Some(scalar) => out.push(scalar),
    }
}
