//! Reads typed values out of a mapping and complains about what does not fit.

use super::node::{Kind, Node};
use super::problems::{Problems, nearest};

/// A mapping being read; messages name `what` it is.
#[derive(Debug, Clone)]
pub struct Reader<'n> {
    /// The mapping.
    pub node: &'n Node,
    /// How messages name it, e.g. `function Greeter`.
    pub what: String,
}

impl<'n> Reader<'n> {
    /// Reads this mapping under this name.
    pub fn new(node: &'n Node, what: impl Into<String>) -> Self {
        Self { node, what: what.into() }
    }

    /// The value under a key, if written and not null.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.node.get(key)
    }

    /// Line of a key, or of the mapping where the key is absent.
    pub fn line(&self, key: &str) -> usize {
        self.node.entries().iter().find(|e| e.key == key).map_or(self.node.line, |e| e.line)
    }

    /// Text, if written.
    pub fn text(&self, key: &str, problems: &mut Problems) -> Option<&'n str> {
        let node = self.get(key)?;
        let text = node.text();
        if text.is_none() {
            problems.error(node.line, format!("{}: {key} must be text, not {}.", self.what, node.describe()));
        }
        text
    }

    /// Text that must be there.
    pub fn required(&self, key: &str, remedy: &str, problems: &mut Problems) -> Option<&'n str> {
        if self.get(key).is_none() {
            problems.error(self.node.line, format!("{} has no {key}. {remedy}", self.what));
            return None;
        }
        self.text(key, problems)
    }

    /// A whole number within bounds, if written.
    pub fn number(&self, key: &str, bounds: std::ops::RangeInclusive<i64>, problems: &mut Problems) -> Option<i64> {
        let node = self.get(key)?;
        let number = node.text().and_then(whole).filter(|n| bounds.contains(n));
        if number.is_none() {
            let (low, high) = (bounds.start(), bounds.end());
            let message = format!("{}: {key} must be a whole number from {low} to {high}, not {}.", self.what, node.describe());
            problems.error(node.line, message);
        }
        number
    }

    /// A boolean, if written.
    pub fn flag(&self, key: &str, problems: &mut Problems) -> Option<bool> {
        let node = self.get(key)?;
        let flag = node.text().and_then(truth);
        if flag.is_none() {
            let message = format!("{}: {key} must be true or false, not {}.", self.what, node.describe());
            problems.error(node.line, message);
        }
        flag
    }

    /// A list of texts; a lone text counts as a list of one.
    pub fn texts(&self, key: &str, problems: &mut Problems) -> Vec<&'n str> {
        let Some(node) = self.get(key) else {
            return Vec::new();
        };
        let items = match &node.kind {
            Kind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut texts = Vec::new();
        for item in items {
            match item.text() {
                Some(text) => texts.push(text),
                None => {
                    problems.error(item.line, format!("{}: {key} must be a list of texts, not {}.", self.what, item.describe()));
                }
            }
        }
        texts
    }

    /// A mapping under a key, named for its own messages.
    pub fn child(&self, key: &str, problems: &mut Problems) -> Option<Reader<'n>> {
        let node = self.get(key)?;
        if !matches!(node.kind, Kind::Map(_)) {
            problems.error(node.line, format!("{}: {key} must be a mapping, not {}.", self.what, node.describe()));
            return None;
        }
        Some(Reader::new(node, format!("{}: {key}", self.what)))
    }

    /// Complains of keys that are not in the list.
    pub fn only(&self, known: &[&str], problems: &mut Problems) {
        for entry in self.node.entries() {
            if !known.contains(&entry.key.as_str()) {
                let hint = match nearest(&entry.key, known.iter().copied()) {
                    Some(near) => format!("Did you mean {near}?"),
                    None => format!("Known are {}.", known.join(", ")),
                };
                problems.error(entry.line, format!("{} does not know {}. {hint}", self.what, entry.key));
            }
        }
    }
}

fn whole(text: &str) -> Option<i64> {
    // YAML may write 3.0 for 3; CloudFormation takes it.
    text.trim().trim_end_matches(".0").parse().ok()
}

/// YAML 1.1 booleans, as `CloudFormation` reads them.
fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}
