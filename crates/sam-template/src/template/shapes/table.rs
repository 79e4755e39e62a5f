//! The table of kinds, which `scripts/shapes` derives from SAM's JSON schema and `CloudFormation`'s
//! resource schemas.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::document::{Kind, Node, parse_bool};

/// A line is a path and its kinds, joined by `|`.
const TABLE: &str = include_str!("shapes.txt");

static KINDS: LazyLock<BTreeMap<&'static str, Kinds>> = LazyLock::new(|| {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(path, words)| (path, Kinds(words)))
        .collect()
});

/// The kinds that a property takes: `text`, `number`, `flag`, `list`, `map`, or `any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(&'static str);

/// The kinds at a path: a resource's type or `event:TYPE`, then the properties down to the value;
/// `*` is any key of a mapping, `[]` an item of a list. `None`: the schemas have no such property.
pub(super) fn at(path: &str) -> Option<Kinds> {
    KINDS.get(path).copied()
}

/// The names that follow `start` in the paths of the table: `TYPE/` for the properties of a type,
/// `event:` for the types of events.
pub(in crate::template) fn names(start: &str) -> impl Iterator<Item = &'static str> {
    let names = KINDS.keys().filter_map(move |own| own.strip_prefix(start));
    names.filter(|name| !name.contains(['/', '[']))
}

impl Kinds {
    /// Whether the schemas allow every kind.
    pub(super) fn any(self) -> bool {
        self.0 == "any"
    }

    fn has(self, kind: &str) -> bool {
        self.0
            .split('|')
            .any(|word| word.trim_end_matches('!') == kind)
    }

    /// Whether a value of this kind must not be empty.
    fn filled(self, kind: &str) -> bool {
        self.0
            .split('|')
            .any(|word| word.strip_suffix('!') == Some(kind))
    }

    /// Whether a value is of one of these kinds. A quoted number or boolean is a number or boolean,
    /// and both are text: `CloudFormation` converts them.
    pub(super) fn accept(self, node: &Node) -> bool {
        match &node.kind {
            _ if self.any() => true,
            Kind::Null => false,
            Kind::List(items) => self.has("list") && !(items.is_empty() && self.filled("list")),
            Kind::Map(_) => self.has("map"),
            Kind::Scalar(text) => {
                self.has("text") && !(text.is_empty() && self.filled("text"))
                    || self.has("number") && text.trim().parse::<f64>().is_ok_and(f64::is_finite)
                    || self.has("flag") && parse_bool(text).is_some()
            }
        }
    }

    /// The kinds for messages: `text or a mapping`.
    pub(super) fn expected(self) -> String {
        let words = self.0.split('|').map(|word| match word {
            "text!" => "a text that is not empty",
            "list!" => "a list that is not empty",
            "number" => "a number",
            "flag" => "true or false",
            "list" => "a list",
            "map" => "a mapping",
            other => other,
        });
        words.collect::<Vec<_>>().join(" or ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        assert_eq!(
            KINDS.len(),
            TABLE.lines().filter(|line| !line.starts_with('#')).count()
        );
        for (path, kinds) in &*KINDS {
            let known = [
                "any", "flag", "list", "list!", "map", "number", "text", "text!",
            ];
            assert!(
                kinds.0.split('|').all(|word| known.contains(&word)),
                "{path} {}",
                kinds.0
            );
        }
    }

    #[test]
    fn scalars_convert_as_in_cloudformation() {
        let taken = |kinds: &'static str, text: &str| Kinds(kinds).accept(&Node::scalar(1, text));
        assert!(taken("text", "3") && taken("text", "true") && taken("text", ""));
        assert!(
            taken("number", "3")
                && taken("number", "3.5")
                && !taken("number", "three")
                && !taken("number", "inf")
        );
        assert!(taken("flag", "true") && !taken("flag", "maybe"));
        assert!(!taken("text!", "") && !taken("list|map", "x"));
        assert!(!Kinds("list!").accept(&Node {
            line: 1,
            kind: Kind::List(Vec::new())
        }));
        assert!(!Kinds("text").accept(&Node::null(1)) && Kinds("any").accept(&Node::null(1)));
    }
}
