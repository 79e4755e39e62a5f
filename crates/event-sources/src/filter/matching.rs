//! Walks a record and a pattern side by side.

use serde_json::Value;

use super::pattern::{Clause, Node, Object, Pattern};
use super::rule::Rule;

/// The field that patterns speak of, as far as it had to be read.
#[derive(Debug)]
pub(super) enum Data {
    /// It is not there: a Kafka record without a value.
    Absent,
    /// It is no JSON, or a lone JSON scalar, which counts as the text that it is written with.
    Text(Value),
    /// A JSON object or array.
    Json(Value),
}

impl Data {
    /// `None`: bytes that are not UTF-8, which nothing matches.
    pub(super) fn read(bytes: Option<&[u8]>) -> Option<Self> {
        let Some(bytes) = bytes else {
            return Some(Self::Absent);
        };
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        // the first byte tells most of what is no JSON from what may be
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

/// Whether every clause holds; `field` judges a field by its label.
fn all<L>(object: &Object<L>, field: &impl Fn(&L, &Node) -> bool) -> bool {
    object.0.iter().all(|clause| match clause {
        Clause::Field(label, node) => field(label, node),
        Clause::Any(objects) => objects.iter().any(|object| all(object, field)),
    })
}

/// An array stands for each of the objects in it: one of them has to match by itself.
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

/// An array stands for each of its values: a rule has to hold for one of them.
fn leaf(rules: &[Rule], found: Option<&Value>) -> bool {
    let mut values = Vec::new();
    leaves(found, &mut values);
    rules.iter().any(|rule| match rule {
        Rule::Exists(wanted) => values.is_empty() != *wanted,
        rule => values.iter().any(|value| rule.holds(value)),
    })
}

/// The values that a rule may be about; an object is none, so that `exists` is about leaves only.
fn leaves<'v>(found: Option<&'v Value>, out: &mut Vec<&'v Value>) {
    match found {
        None | Some(Value::Object(_)) => {}
        Some(Value::Array(items)) => items.iter().for_each(|item| leaves(Some(item), out)),
        Some(scalar) => out.push(scalar),
    }
}
