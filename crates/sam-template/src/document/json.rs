//! JSON templates, read into the same tree as YAML.

use serde_json::Value;

use super::node::{Entry, Kind, Node};
use super::problems::Problems;
use super::yaml::{MAX_DEPTH, add_entry, too_deep};

/// Reads one document. `None` when it is not JSON; the reason is reported.
pub fn parse_json(text: &str, problems: &Problems) -> Option<Node> {
    // The YAML reader skips a byte-order mark; serde_json refuses it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // As `Value`, not as ignored text: only then does serde_json bound the depth and check escapes.
    if let Err(error) = strict_json::from_str::<Value>(text) {
        problems.error(error.line().max(1), format!("this is not JSON: {error}."));
        return None;
    }
    let mut cursor = Cursor {
        text,
        at: 0,
        line: 1,
        depth: 0,
        too_deep: None,
        problems,
    };
    let root = cursor.value();
    if let Some(line) = cursor.too_deep {
        problems.error(line, too_deep());
        return None;
    }
    Some(root)
}

/// A position in text that has been checked to be JSON, of a depth that `serde_json` limits.
struct Cursor<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    depth: usize,
    /// The first line that nests deeper than [`MAX_DEPTH`](super::yaml::MAX_DEPTH).
    too_deep: Option<usize>,
    problems: &'t Problems,
}

impl<'t> Cursor<'t> {
    /// Skips white space and returns the byte that follows; 0 at the end.
    fn peek(&mut self) -> u8 {
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                other => return *other,
            }
            self.at += 1;
        }
        0
    }

    /// Consumes the next byte if it is this one.
    fn consume(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    /// The text before the first byte for which `ends` is true.
    fn take_until(&mut self, ends: impl Fn(u8) -> bool) -> &'t str {
        let rest = &self.text[self.at..];
        let token = &rest[..rest.bytes().position(ends).unwrap_or(rest.len())];
        self.at += token.len();
        token
    }

    fn value(&mut self) -> Node {
        let start = self.peek();
        let line = self.line;
        let kind = match start {
            b'{' => Kind::Map(self.items(b'}', Self::entry)),
            b'[' => Kind::List(self.items(b']', |cursor, items| items.push(cursor.value()))),
            b'"' => Kind::Scalar(self.string()),
            _ => match self
                .take_until(|byte| matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace())
            {
                "null" => Kind::Null,
                number => Kind::Scalar(number.to_owned()),
            },
        };
        Node { line, kind }
    }

    /// The items between brackets; `read` adds one.
    fn items<T>(&mut self, end: u8, read: impl Fn(&mut Self, &mut Vec<T>)) -> Vec<T> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.too_deep.get_or_insert(self.line);
        }
        let mut items = Vec::new();
        while !self.consume(end) {
            read(self, &mut items);
            self.consume(b',');
        }
        self.depth -= 1;
        items
    }

    fn entry(&mut self, entries: &mut Vec<Entry>) {
        self.peek();
        let line = self.line;
        let key = self.string();
        self.consume(b':');
        let entry = Entry::new(key, line, self.value());
        add_entry(entry, entries, self.problems);
    }

    /// The string that begins here, quotes included.
    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        loop {
            self.take_until(|byte| matches!(byte, b'"' | b'\\'));
            if self.text.as_bytes().get(self.at) != Some(&b'\\') {
                break;
            }
            self.at += 2;
        }
        self.at += 1;
        strict_json::from_str(self.text.get(start..self.at).unwrap_or_default()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::parse_yaml;

    #[test]
    fn json_yields_yamls_tree_and_lines() {
        let text = "{\n\t\"a\": [1, true, \"x\\n\\\"y\\\"\\\\\"],\n  \"b\": {\"Ref\": \"P\"},\
            \"c\":null,\n  \"d\": {}, \"e\": [ ], \"f\": -1.5e3\n}\n";
        let problems = Problems::new("t");
        let json = parse_json(text, &problems).unwrap();
        assert_eq!(
            Some(&json),
            parse_yaml(&text.replace('\t', " "), &problems).as_ref()
        );
        assert!(!problems.has_errors(), "{problems:?}");
        assert_eq!(
            (
                json.entries()[0].line,
                json.entries()[1].line,
                json.entries()[3].line
            ),
            (2, 3, 4)
        );
        let smile = parse_json(r#"["\ud83d\ude00 \/"]"#, &problems).unwrap();
        assert_eq!(smile.items()[0].text(), Some("\u{1f600} /"));
    }

    #[test]
    fn byte_order_marks_and_quoted_brackets_change_nothing() {
        let problems = Problems::new("t");
        let text = format!(
            "\u{feff}[\"{}\\\"{}\", 1]",
            "[".repeat(200),
            "{".repeat(200)
        );
        assert_eq!(parse_json(&text, &problems).unwrap().items().len(), 2);
        assert!(!problems.has_errors(), "{problems:?}");
    }

    #[test]
    fn invalid_json_is_reported_with_its_line() {
        let deep = format!("\n{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let braces = format!("{}1{}", "{\"a\":".repeat(101), "}".repeat(101));
        for (text, line) in [
            (deep.as_str(), 2),
            (&braces, 1),
            ("", 1),
            ("{\n  \"a\": 1,\n}", 3),
            ("{\"a\": 1,\n \"a\": 2}", 2),
            ("{} {}", 1),
        ] {
            let problems = Problems::new("t");
            parse_json(text, &problems);
            let found = problems.finish().unwrap_err();
            assert_eq!(found[0].line, line, "{text}: {found:?}");
        }
    }

    #[test]
    fn deep_nesting_and_lone_surrogates_are_refused() {
        let deep =
            |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        for text in [
            deep("[", "]"),
            deep("{\"a\":", "}"),
            "{\n\"a\": \"\\ud800\"}".into(),
            "{\n\"\\udc00\": 1}".into(),
        ] {
            let problems = Problems::new("t");
            assert!(parse_json(&text, &problems).is_none(), "{text:.40}");
            assert_eq!(problems.finish().unwrap_err().len(), 1);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_yields_a_tree_or_a_problem(text in "[\\[\\]{}:,\"a0 \\n\\\\]{0,60}") {
            let problems = Problems::new("t");
            let node = parse_json(&text, &problems);
            proptest::prop_assert!(node.is_some() || problems.has_errors());
        }
    }
}
