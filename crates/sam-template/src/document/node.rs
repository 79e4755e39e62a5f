//! The tree both formats become.

use std::fmt;

/// A value and the line it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Counted from 1.
    pub line: usize,
    /// What it is.
    pub kind: Kind,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Nothing was written, or `null`.
    Null,
    /// Text, a number or a boolean as it was written: `CloudFormation` turns one into the other freely, so the type is
    /// decided by whoever reads the node.
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
    /// What it leads to.
    pub value: Node,
}

impl Node {
    /// A scalar on a line.
    pub fn scalar(line: usize, text: impl Into<String>) -> Self {
        Self {
            line,
            kind: Kind::Scalar(text.into()),
        }
    }

    /// A mapping on a line.
    pub fn map(line: usize, entries: Vec<Entry>) -> Self {
        Self {
            line,
            kind: Kind::Map(entries),
        }
    }

    /// Nothing, on a line.
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

    /// What to call the node in a message.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".into(),
            Kind::Scalar(text) => format!("'{}'", Shortened(text)),
            Kind::List(_) => "a list".into(),
            Kind::Map(_) => "a mapping".into(),
        }
    }
}

/// Characters of a value that a message shows.
pub(crate) const LONGEST_SHOWN: usize = 60;

/// Text cut to what fits into a message.
struct Shortened<'a>(&'a str);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.chars().count() <= LONGEST_SHOWN {
            return f.write_str(self.0);
        }
        let cut: String = self.0.chars().take(LONGEST_SHOWN).collect();
        write!(f, "{cut}...")
    }
}

impl Entry {
    /// A key and what it leads to.
    pub fn new(key: impl Into<String>, line: usize, value: Node) -> Self {
        Self {
            key: key.into(),
            line,
            value,
        }
    }
}
