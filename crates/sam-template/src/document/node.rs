//! The tree that all formats are read into.

use std::fmt;

/// A value and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Counted from 1.
    pub line: usize,
    /// The value.
    pub kind: Kind,
}

/// The value of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// No value, or `null`.
    Null,
    /// Text, a number or a boolean, as written. `CloudFormation` converts between them, so the
    /// caller that reads the node decides the type.
    Scalar(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order written.
    Map(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Line of the key.
    pub line: usize,
    /// The value under the key.
    pub value: Node,
}

impl Node {
    /// A scalar.
    pub fn scalar(line: usize, text: impl Into<String>) -> Self {
        Self {
            line,
            kind: Kind::Scalar(text.into()),
        }
    }

    /// A mapping.
    pub fn map(line: usize, entries: Vec<Entry>) -> Self {
        Self {
            line,
            kind: Kind::Map(entries),
        }
    }

    /// A null.
    pub fn null(line: usize) -> Self {
        Self {
            line,
            kind: Kind::Null,
        }
    }

    /// The value under a key of a mapping; `None` for other nodes, absent keys and nulls.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find(|e| e.key == key)
            .map(|e| &e.value)
            .filter(|n| n.kind != Kind::Null)
    }

    /// The keys of a mapping; empty for other nodes.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a sequence; empty for other nodes.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The only key of a mapping that has exactly one.
    pub fn single(&self) -> Option<&Entry> {
        match self.entries() {
            [entry] => Some(entry),
            _ => None,
        }
    }

    /// The node as a message names it: `'text'`, `a list`, `a mapping`, `nothing`.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".into(),
            Kind::Scalar(text) => format!("'{}'", Shortened(text)),
            Kind::List(_) => "a list".into(),
            Kind::Map(_) => "a mapping".into(),
        }
    }

    /// The value as JSON. Scalars that are JSON numbers or booleans become those.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.kind {
            Kind::Null => serde_json::Value::Null,
            Kind::Scalar(text) => match text.as_str() {
                "true" => true.into(),
                "false" => false.into(),
                text => strict_json::from_str::<serde_json::Number>(text)
                    .map_or_else(|_| text.into(), Into::into),
            },
            Kind::List(items) => items.iter().map(Node::to_json).collect(),
            Kind::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.value.to_json()))
                .collect(),
        }
    }
}

/// Characters of a value that a message quotes at most.
pub(crate) const MAX_SHOWN_CHARS: usize = 60;

/// Text cut to [`MAX_SHOWN_CHARS`].
struct Shortened<'a>(&'a str);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.chars().count() <= MAX_SHOWN_CHARS {
            return f.write_str(self.0);
        }
        let cut: String = self.0.chars().take(MAX_SHOWN_CHARS).collect();
        write!(f, "{cut}...")
    }
}

impl Entry {
    /// A key and its value.
    pub fn new(key: impl Into<String>, line: usize, value: Node) -> Self {
        Self {
            key: key.into(),
            line,
            value,
        }
    }
}
