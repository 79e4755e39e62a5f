//! Inserts settings into the text of `usher.toml`, which keeps its comments and its form. Pure.
//!
//! The result is read again: it must mean what the old text and the new lines mean together.

use super::error::{TextError, indented};
use super::piece;
use super::tree;
use sam_template::document::{Node, Problems, parse_toml};

/// Levels of keys that are merged: tables in tables, and their entries.
const LEVELS: usize = 3;

/// The text with the entries of a piece in their tables. Entries that exist stay as they are.
///
/// # Errors
/// The text has errors, or its tables have a form into which lines cannot be inserted.
pub(super) fn insert(text: &str, file: &str, piece: &str) -> Result<String, TextError> {
    let old = read(text, file)?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for table in piece::of_toml(piece) {
        let existing = at(&old, table.key);
        let missing = table.entries.iter().filter(|(key, _)| {
            let key = key.trim_matches('"');
            existing.is_none_or(|existing| existing.get(key).is_none())
        });
        let missing: Vec<String> = missing
            .map(|(_, line)| line.trim_end().to_owned())
            .collect();
        if missing.is_empty() {
            continue;
        }
        let is_header = |line: &String| line.split('#').next().unwrap_or("").trim() == table.key;
        if let Some(header) = lines.iter().position(is_header) {
            let after = lines.split_off(header + 1);
            lines.extend(missing);
            lines.extend(after);
        } else {
            lines.extend([String::new(), table.key.to_owned()]);
            lines.extend(missing);
        }
    }
    let result = lines.join("\n") + "\n";
    let wanted = tree::merged(&old.to_json(), &read(piece, file)?.to_json(), LEVELS);
    match read(&result, file) {
        Ok(read) if read.to_json() == wanted => Ok(result),
        _ => Err(TextError::NotUnderstood {
            file: file.to_owned(),
            lines: indented(piece),
        }),
    }
}

/// The table of a header such as `[sources.Orders]`.
fn at<'n>(root: &'n Node, header: &str) -> Option<&'n Node> {
    let path = header.trim_matches(['[', ']']).split('.');
    path.into_iter().try_fold(root, |node, key| node.get(key))
}

fn read(text: &str, file: &str) -> Result<Node, TextError> {
    let problems = Problems::new(file);
    tree::checked(Some(parse_toml(text, &problems)), problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: &str = "[kafka]\n\"A.Records\" = \"k\"\n[endpoints]\nsqs = \"q\"\n";

    fn inserted(text: &str) -> String {
        insert(text, "usher.toml", PIECE).unwrap()
    }

    #[test]
    fn tables_are_appended_or_extended() {
        assert_eq!(
            inserted("# here\nstack = \"s\"\n"),
            "# here\nstack = \"s\"\n\n[kafka]\n\"A.Records\" = \"k\"\n\n[endpoints]\nsqs = \"q\"\n"
        );
        assert_eq!(
            inserted("[endpoints] # of mine\n[kafka]\nB = \"1\" # one\n")
                .lines()
                .count(),
            5,
            "a header with a comment is found"
        );
    }

    #[test]
    fn values_that_exist_stay() {
        let text = "[endpoints]\nsqs = \"mine\"\n[kafka]\n\"A.Records\" = \"own\"\n";
        assert_eq!(inserted(text), text);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in ["endpoints = {redis = \"r\"}\n", "kafka = 1\n", "[kafka\n"] {
            assert!(insert(text, "usher.toml", PIECE).is_err(), "{text}");
        }
    }
}
