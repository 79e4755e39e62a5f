//! Typed values of a mapping. A value of a wrong kind is an error with its line, and is never
//! treated as a missing key.

use super::nearest;
use super::node::{Entry, Kind, Node};
use super::problems::Problems;

/// Reads one mapping.
#[derive(Debug, Clone)]
pub struct Reader<'n> {
    /// The mapping.
    pub node: &'n Node,
    /// Line on which missing keys are reported.
    line: usize,
    /// The mapping's name in messages, such as `function Greeter`.
    pub what: String,
}

impl<'n> Reader<'n> {
    /// A reader of this mapping, which messages call `what`.
    pub fn new(node: &'n Node, what: impl Into<String>) -> Self {
        Self {
            node,
            line: node.line,
            what: what.into(),
        }
    }

    /// As [`Reader::new`]; missing keys are reported on `line`, that of the mapping's own key.
    pub fn at(node: &'n Node, line: usize, what: impl Into<String>) -> Self {
        Self {
            node,
            line,
            what: what.into(),
        }
    }

    /// Whether a key has a value of any kind. The typed methods below return `None` for a missing
    /// value and for one of a wrong kind, and report the latter.
    pub fn has(&self, key: &str) -> bool {
        self.node.get(key).is_some()
    }

    /// The value under a key, of any kind, if not null. For keys that take several kinds.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.node.get(key)
    }

    /// Line of a key, or of the mapping if the key is absent.
    pub fn line(&self, key: &str) -> usize {
        self.node
            .entries()
            .iter()
            .find(|e| e.key == key)
            .map_or(self.node.line, |e| e.line)
    }

    /// Text. Numbers and booleans count as text, as `CloudFormation` converts them.
    pub fn text(&self, key: &str, problems: &mut Problems) -> Option<&'n str> {
        let node = self.get(key)?;
        let text = node.text();
        if text.is_none() {
            self.wrong(node, key, "text", problems);
        }
        text
    }

    /// Text that is required; `remedy` ends the message if it is missing.
    pub fn required(&self, key: &str, remedy: &str, problems: &mut Problems) -> Option<&'n str> {
        if !self.has(key) {
            problems.error(self.line, format!("{} has no {key}. {remedy}", self.what));
            return None;
        }
        self.text(key, problems)
    }

    /// A whole number within bounds.
    pub fn number(
        &self,
        key: &str,
        bounds: std::ops::RangeInclusive<i64>,
        problems: &mut Problems,
    ) -> Option<i64> {
        let node = self.get(key)?;
        let number = node.text().and_then(whole).filter(|n| bounds.contains(n));
        if number.is_none() {
            self.wrong(
                node,
                key,
                &format!("a whole number from {} to {}", bounds.start(), bounds.end()),
                problems,
            );
        }
        number
    }

    /// A boolean.
    pub fn flag(&self, key: &str, problems: &mut Problems) -> Option<bool> {
        let node = self.get(key)?;
        let flag = node.text().and_then(parse_bool);
        if flag.is_none() {
            self.wrong(node, key, "true or false", problems);
        }
        flag
    }

    /// The items of a list, of any kind; empty if the key is absent.
    pub fn list(&self, key: &str, problems: &mut Problems) -> &'n [Node] {
        match self.get(key).map(|node| (node, &node.kind)) {
            None => &[],
            Some((_, Kind::List(items))) => items,
            Some((node, _)) => {
                self.wrong(node, key, "a list", problems);
                &[]
            }
        }
    }

    /// The texts of a list; empty if the key is absent.
    pub fn texts(&self, key: &str, problems: &mut Problems) -> Vec<&'n str> {
        self.list(key, problems)
            .iter()
            .filter_map(|item| self.item(item, key, problems))
            .collect()
    }

    /// As [`Reader::texts`]; a lone text counts as a list of one.
    pub fn texts_or_one(&self, key: &str, problems: &mut Problems) -> Vec<&'n str> {
        match self.get(key).and_then(Node::text) {
            Some(lone) => vec![lone],
            None => self.texts(key, problems),
        }
    }

    fn item(&self, item: &'n Node, key: &str, problems: &mut Problems) -> Option<&'n str> {
        if item.text().is_none() {
            self.wrong(item, key, "a list of texts", problems);
        }
        item.text()
    }

    /// The mappings of a list, each called `name` in messages; empty if the key is absent.
    pub fn mappings(&self, key: &str, name: &str, problems: &mut Problems) -> Vec<Reader<'n>> {
        let mut mappings = Vec::new();
        for item in self.list(key, problems) {
            if matches!(item.kind, Kind::Map(_)) {
                mappings.push(Reader::new(item, format!("{}: {name}", self.what)));
            } else {
                self.wrong(item, key, "a list of mappings", problems);
            }
        }
        mappings
    }

    /// The mapping under a key.
    pub fn child(&self, key: &str, problems: &mut Problems) -> Option<Reader<'n>> {
        let node = self.get(key)?;
        if !matches!(node.kind, Kind::Map(_)) {
            self.wrong(node, key, "a mapping", problems);
            return None;
        }
        Some(Reader::new(node, format!("{}: {key}", self.what)))
    }

    /// The entries of the mapping under a key; empty if the key is absent.
    pub fn entries(&self, key: &str, problems: &mut Problems) -> &'n [Entry] {
        self.child(key, problems)
            .map_or(&[], |child| child.node.entries())
    }

    /// Reports a value of a wrong kind.
    pub fn wrong(&self, node: &Node, key: &str, expected: &str, problems: &mut Problems) {
        problems.wrong_kind(
            node.line,
            key,
            format!(
                "{}: {key} must be {expected}, not {}.",
                self.what,
                node.describe()
            ),
        );
    }

    /// Reports keys that are not in the list.
    pub fn only(&self, known: &[&str], problems: &mut Problems) {
        for entry in self.node.entries() {
            if !known.contains(&entry.key.as_str()) {
                let hint = match nearest(&entry.key, known.iter().copied()) {
                    Some(near) => format!("Did you mean {near}?"),
                    None => format!("Known are {}.", known.join(", ")),
                };
                problems.error(
                    entry.line,
                    format!("{} does not support {}. {hint}", self.what, entry.key),
                );
            }
        }
    }
}

fn whole(text: &str) -> Option<i64> {
    // YAML may write 3.0 for 3; CloudFormation accepts it.
    text.trim().trim_end_matches(".0").parse().ok()
}

/// YAML 1.1 booleans, as `CloudFormation` reads them.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}
