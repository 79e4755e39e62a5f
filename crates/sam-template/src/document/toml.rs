//! TOML, read into the same tree as YAML.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::node::{Entry, Kind, Node};
use super::problems::Problems;

/// Reads a whole file. Returns what could be read; every syntax error is reported.
pub fn parse_toml(text: &str, problems: &Problems) -> Node {
    let lines = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reported = 0;
    for error in errors {
        let line = error.span().map_or(1, |span| lines.at(span.start));
        // A second error on one line is a consequence of the first.
        if std::mem::replace(&mut reported, line) == line {
            continue;
        }
        problems.unreadable(
            line,
            format!("this is not TOML: {}", error.message().trim()),
        );
    }
    map(table.get_ref(), 1, &lines)
}

fn map(table: &DeTable<'_>, line: usize, lines: &Lines) -> Node {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| {
            let line = lines.at(key.span().start);
            Entry::new(key.get_ref().as_ref(), line, node(value, line, lines))
        })
        .collect();
    entries.sort_by_key(|entry| entry.line);
    Node::map(line, entries)
}

/// A table opened by a header has no span of its own: it takes the line of its key.
fn node(value: &Spanned<DeValue<'_>>, key_line: usize, lines: &Lines) -> Node {
    let line = key_line;
    match value.get_ref() {
        DeValue::Table(table) => map(table, line, lines),
        DeValue::Array(items) => Node {
            line,
            kind: Kind::List(
                items
                    .iter()
                    .map(|item| node(item, lines.at(item.span().start).max(line), lines))
                    .collect(),
            ),
        },
        DeValue::String(text) => Node::scalar(line, text.as_ref()),
        DeValue::Integer(number) => Node::scalar(line, number.as_str().replace('_', "")),
        DeValue::Float(number) => Node::scalar(line, number.as_str().replace('_', "")),
        DeValue::Boolean(yes) => Node::scalar(line, yes.to_string()),
        DeValue::Datetime(time) => Node::scalar(line, time.to_string()),
    }
}

/// Byte offset to line.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|newline| *newline < offset) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_depth_have_their_line() {
        let problems = Problems::new("t");
        let node = parse_toml("a = 1\n\n[b]\nc = 'x'\n[b.d]\ne = [1,\n 2]\n", &problems);
        assert!(!problems.has_errors(), "{problems:?}");
        let b = node.get("b").unwrap();
        assert_eq!((node.entries()[0].line, node.entries()[1].line), (1, 3));
        assert_eq!(b.get("c").unwrap().line, 4);
        assert_eq!(b.get("d").unwrap().get("e").unwrap().items()[1].line, 7);
    }

    #[test]
    fn every_syntax_error_is_reported() {
        let problems = Problems::new("t");
        parse_toml("a = \nb = 2\nc = = 3\n", &problems);
        let lines: Vec<usize> = problems
            .finish()
            .unwrap_err()
            .iter()
            .map(|d| d.line)
            .collect();
        assert_eq!(lines, [1, 3]);
    }
}
