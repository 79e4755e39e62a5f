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
    /// Receives what is wrong.
    pub problems: &'n Problems,
}

impl<'n> Reader<'n> {
    /// A reader of this mapping, which messages call `what`.
    pub fn new(node: &'n Node, what: impl Into<String>, problems: &'n Problems) -> Self {
        Self::at(node, node.line, what, problems)
    }

    /// As [`Reader::new`]; missing keys are reported on `line`, that of the mapping's own key.
    pub fn at(
        node: &'n Node,
        line: usize,
        what: impl Into<String>,
        problems: &'n Problems,
    ) -> Self {
        Self {
            node,
            line,
            what: what.into(),
            problems,
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
        self.node.line_of(key).unwrap_or(self.node.line)
    }

    /// Reports an error about a key; the message begins with the mapping's name.
    pub fn error(&self, key: &str, message: &str) {
        self.error_on(self.line(key), message);
    }

    /// As [`Reader::error`], on a line.
    pub fn error_on(&self, line: usize, message: &str) {
        self.problems
            .error(line, format!("{}: {message}", self.what));
    }

    /// As [`Reader::error`], if no other check has reported the value.
    pub fn invalid(&self, key: &str, message: &str) {
        let message = format!("{}: {message}", self.what);
        self.problems.wrong_kind(self.line(key), key, message);
    }

    /// Reports a warning about a key; the message begins with the mapping's name.
    pub fn warn(&self, key: &str, message: &str) {
        self.warn_on(self.line(key), message);
    }

    /// As [`Reader::warn`], on a line.
    pub fn warn_on(&self, line: usize, message: &str) {
        self.problems
            .warn(line, format!("{}: {message}", self.what));
    }

    /// Text. Numbers and booleans count as text, as `CloudFormation` converts them.
    pub fn text(&self, key: &str) -> Option<&'n str> {
        self.value(key, "text", Node::text)
    }

    /// As [`Reader::text`], owned.
    pub fn string(&self, key: &str) -> Option<String> {
        self.text(key).map(str::to_owned)
    }

    /// Text that is required; `remedy` ends the message if it is missing.
    pub fn required(&self, key: &str, remedy: &str) -> Option<&'n str> {
        if !self.has(key) {
            let message = format!("{} has no {key}. {remedy}", self.what);
            self.problems.error(self.line, message);
            return None;
        }
        self.text(key)
    }

    /// One of these texts; another one is an error.
    pub fn choice(&self, key: &str, known: &[&str]) -> Option<&'n str> {
        let text = self.text(key)?;
        if known.contains(&text) {
            return Some(text);
        }
        let listed = match known {
            [first @ .., last] => format!("{} or {last}", first.join(", ")),
            [] => String::new(),
        };
        self.error(key, &format!("{key} is {listed}, not {text}."));
        None
    }

    /// A whole number within bounds.
    pub fn number(&self, key: &str, bounds: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        self.value(key, &expected, |node| {
            node.text().and_then(whole).filter(|n| bounds.contains(n))
        })
    }

    /// A boolean.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.value(key, "true or false", |node| {
            node.text().and_then(parse_bool)
        })
    }

    /// The items of a list, of any kind; empty if the key is absent.
    pub fn list(&self, key: &str) -> &'n [Node] {
        let list = self.value(key, "a list", |node| match &node.kind {
            Kind::List(items) => Some(&items[..]),
            _ => None,
        });
        list.unwrap_or_default()
    }

    /// The texts of a list; empty if the key is absent.
    pub fn texts(&self, key: &str) -> Vec<&'n str> {
        let items = self.list(key).iter();
        items
            .filter_map(|item| {
                if item.text().is_none() {
                    self.wrong(item, key, "a list of texts");
                }
                item.text()
            })
            .collect()
    }

    /// As [`Reader::texts`], owned.
    pub fn strings(&self, key: &str) -> Vec<String> {
        self.texts(key).into_iter().map(str::to_owned).collect()
    }

    /// As [`Reader::texts`]; a lone text counts as a list of one.
    pub fn texts_or_one(&self, key: &str) -> Vec<&'n str> {
        match self.get(key).and_then(Node::text) {
            Some(lone) => vec![lone],
            None => self.texts(key),
        }
    }

    /// The mappings of a list, each called `name` in messages; empty if the key is absent.
    pub fn mappings(&self, key: &str, name: &str) -> Vec<Reader<'n>> {
        let mut mappings = Vec::new();
        for item in self.list(key) {
            if matches!(item.kind, Kind::Map(_)) {
                mappings.push(Reader::new(
                    item,
                    format!("{}: {name}", self.what),
                    self.problems,
                ));
            } else {
                self.wrong(item, key, "a list of mappings");
            }
        }
        mappings
    }

    /// The mapping under a key.
    pub fn child(&self, key: &str) -> Option<Reader<'n>> {
        let node = self.value(key, "a mapping", |node| {
            matches!(node.kind, Kind::Map(_)).then_some(node)
        })?;
        Some(Reader::new(
            node,
            format!("{}: {key}", self.what),
            self.problems,
        ))
    }

    /// The entries of the mapping under a key; empty if the key is absent.
    pub fn entries(&self, key: &str) -> &'n [Entry] {
        self.child(key).map_or(&[], |child| child.node.entries())
    }

    /// Reports a value of a wrong kind.
    pub fn wrong(&self, node: &Node, key: &str, expected: &str) {
        let found = node.describe();
        let message = format!("{}: {key} must be {expected}, not {found}.", self.what);
        self.problems.wrong_kind(node.line, key, message);
    }

    /// Reports keys that are not among these names, which blanks separate.
    pub fn only(&self, known: &str) {
        let known: Vec<&str> = known.split_whitespace().collect();
        for entry in self.node.entries() {
            if !known.contains(&entry.key.as_str()) {
                let hint = did_you_mean(&entry.key, known.iter().copied())
                    .unwrap_or_else(|| format!("Known are {}.", known.join(", ")));
                let message = format!("{} does not support {}. {hint}", self.what, entry.key);
                self.problems.error(entry.line, message);
            }
        }
    }

    /// The value under a key as `read` converts it, which reports what is not `expected`.
    fn value<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'n Node) -> Option<T>,
    ) -> Option<T> {
        let node = self.get(key)?;
        let value = read(node);
        if value.is_none() {
            self.wrong(node, key, expected);
        }
        value
    }
}

/// `Did you mean NAME?` for the name that resembles a misspelt one.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(word, known).map(|near| format!("Did you mean {near}?"))
}

/// As [`did_you_mean`], after a blank; empty if no name resembles the word.
pub(crate) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    did_you_mean(word, known).map_or_else(String::new, |hint| format!(" {hint}"))
}

/// Names as a message lists them.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}

/// Whether a text is 1 to `max` ASCII letters, digits and characters of `others`.
pub(crate) fn is_name(text: &str, others: &str, max: usize) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    (1..=max).contains(&text.len()) && text.chars().all(allowed)
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
