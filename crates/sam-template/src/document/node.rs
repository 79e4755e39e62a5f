//! The tree that all formats are read into.

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
        let kind = Kind::Scalar(text.into());
        Self { line, kind }
    }

    /// A sequence.
    pub fn list(line: usize, items: Vec<Node>) -> Self {
        let kind = Kind::List(items);
        Self { line, kind }
    }

    /// A mapping.
    pub fn map(line: usize, entries: Vec<Entry>) -> Self {
        let kind = Kind::Map(entries);
        Self { line, kind }
    }

    /// A null.
    pub fn null(line: usize) -> Self {
        let kind = Kind::Null;
        Self { line, kind }
    }

    /// The value under a key of a mapping; `None` for other nodes, absent keys and nulls.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key)
            .map(|e| &e.value)
            .filter(|n| n.kind != Kind::Null)
    }

    /// The entry of a key of a mapping, also if its value is null.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|e| e.key == key)
    }

    /// Line of a key of a mapping.
    pub fn line_of(&self, key: &str) -> Option<usize> {
        self.entry(key).map(|e| e.line)
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

    /// The text of a scalar, or the texts of a sequence of scalars.
    pub fn texts(&self) -> Option<Vec<&str>> {
        match &self.kind {
            Kind::Scalar(text) => Some(vec![text]),
            Kind::List(items) => items.iter().map(Node::text).collect(),
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
            Kind::Scalar(text) => match text.char_indices().nth(MAX_SHOWN_CHARS) {
                Some((end, _)) => format!("'{}...'", &text[..end]),
                None => format!("'{text}'"),
            },
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
