//! Inserts resources into a template's text, which keeps its comments and its form. Pure.
//!
//! The result is read again: it must mean what the old text and the new lines mean together.

use super::error::{TextError, indented};
use super::piece::{self, Section};
use super::tree;
use sam_template::document::{Node, Problems, parse_yaml};

/// Spaces before an entry where a section has none yet.
const INDENT: usize = 2;
/// Levels of keys that are merged: sections and their entries.
const LEVELS: usize = 2;

/// The text with the entries of a piece at the end of their sections. Parameters and conditions
/// that exist stay as they are.
///
/// # Errors
/// The text has errors, a resource of this name exists, or a section is not a block.
pub(super) fn insert(text: &str, file: &str, piece: &str) -> Result<String, TextError> {
    let old = read(text, file)?;
    let mut out: Vec<String> = text.lines().map(str::to_owned).collect();
    let sections = piece::of_yaml(piece);
    refuse_taken(&old, &sections, file)?;
    for section in sections {
        insert_section(&mut out, file, section)?;
    }
    let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut result = out.join(line_break);
    result.push_str(line_break);
    let new = read(piece, file)?;
    let wanted = tree::merged(&old.to_json(), &new.to_json(), LEVELS);
    match read(&result, file) {
        Ok(read) if read.to_json() == wanted => Ok(result),
        _ => Err(TextError::NotUnderstood {
            file: file.to_owned(),
            lines: indented(piece),
        }),
    }
}

fn read(text: &str, file: &str) -> Result<Node, TextError> {
    let problems = Problems::new(file);
    tree::checked(parse_yaml(text, &problems), problems)
}

/// Refuses a resource that exists, with its line in the file as it is.
fn refuse_taken(old: &Node, sections: &[Section<'_>], file: &str) -> Result<(), TextError> {
    let Some(resources) = old.entry("Resources") else {
        return Ok(());
    };
    let new = sections.iter().filter(|section| section.key == "Resources");
    for (key, _) in new.flat_map(|section| &section.entries) {
        if let Some(taken) = resources.value.entry(key) {
            return Err(TextError::Taken {
                file: file.to_owned(),
                line: taken.line,
                key: (*key).to_owned(),
            });
        }
    }
    Ok(())
}

fn insert_section(
    lines: &mut Vec<String>,
    file: &str,
    section: Section<'_>,
) -> Result<(), TextError> {
    let root = read(&(lines.join("\n") + "\n"), file)?;
    let existing = root.entry(section.key);
    let mut entries = Vec::new();
    for (key, text) in section.entries {
        if existing.is_none_or(|existing| existing.value.entry(key).is_none()) {
            entries.push(text);
        }
    }
    if entries.is_empty() {
        return Ok(());
    }
    let Some(existing) = existing else {
        let resources = root
            .line_of("Resources")
            .map_or(lines.len(), |line| line - 1);
        let at = before_comments(lines, resources);
        let mut added = Vec::new();
        if at > 0 {
            added.push(String::new());
        }
        added.push(format!("{}:", section.key));
        let entries = entries.iter().flat_map(|entry| entry.lines());
        added.extend(entries.map(str::to_owned));
        if lines.get(at).is_some_and(|next| !next.trim().is_empty()) {
            added.push(String::new());
        }
        lines.splice(at..at, added);
        return Ok(());
    };
    let key_line = existing.line - 1;
    let children = existing.value.entries();
    let first_child = children.first().map(|first| first.line - 1);
    let written = lines.get(key_line).map_or("", String::as_str);
    if !is_block(written, section.key) || first_child == Some(key_line) {
        return Err(TextError::NotBlock {
            file: file.to_owned(),
            line: existing.line,
            section: section.key.to_owned(),
            lines: indented(&entries.concat()),
        });
    }
    let indent = first_child.and_then(|line| {
        let line = lines.get(line)?;
        Some(line.len() - line.trim_start_matches(' ').len())
    });
    let indent = indent.unwrap_or(INDENT);
    let next = lines.iter().enumerate().skip(key_line + 1);
    let next = next.filter(|(_, line)| !line.starts_with([' ', '#', '\r']) && !line.is_empty());
    let end = next.map(|(at, _)| at).next().unwrap_or(lines.len());
    let at = before_comments(lines, end);
    let mut added = Vec::new();
    for entry in &entries {
        if first_child.is_some() && added.is_empty() {
            added.push(String::new());
        }
        added.extend(entry.lines().map(|line| {
            let shifted = line.strip_prefix("  ").unwrap_or(line);
            format!("{}{shifted}", " ".repeat(indent))
        }));
    }
    if lines.get(at).is_some_and(|next| !next.trim().is_empty()) {
        added.push(String::new());
    }
    lines.splice(at..at, added);
    Ok(())
}

/// Whether a line holds this key alone, perhaps with a comment.
fn is_block(line: &str, key: &str) -> bool {
    let rest = line.trim_end().strip_prefix(key);
    let rest = rest.and_then(|rest| rest.strip_prefix(':'));
    rest.is_some_and(|rest| rest.is_empty() || rest.trim_start().starts_with('#'))
}

/// The line above the blank lines and comments of the first column that stand before this line.
fn before_comments(lines: &[String], mut at: usize) -> usize {
    let separates = |line: &String| line.trim().is_empty() || line.starts_with('#');
    while at > 0 && lines.get(at - 1).is_some_and(separates) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: &str = "Parameters:\n  P:\n    Type: String\nResources:\n  B:\n    Type: T\n";

    fn inserted(text: &str) -> String {
        insert(text, "t.yaml", PIECE).unwrap()
    }

    #[test]
    fn comments_and_form_are_kept() {
        let text = "# head\nParameters: # values\n    Q: {Type: String} # flow\n\n# what runs\n\
                    Resources:\n    # the first\n    A: {Type: T}\n\n# what it prints\nOutputs: {}\n";
        assert_eq!(
            inserted(text),
            "# head\nParameters: # values\n    Q: {Type: String} # flow\n\n    P:\n      Type: String\n\n\
             # what runs\nResources:\n    # the first\n    A: {Type: T}\n\n    B:\n      Type: T\n\n\
             # what it prints\nOutputs: {}\n"
        );
    }

    #[test]
    fn a_missing_section_is_written_before_the_resources() {
        assert_eq!(
            inserted("Transform: X\n\nResources:\n"),
            "Transform: X\n\nParameters:\n  P:\n    Type: String\n\nResources:\n  B:\n    Type: T\n"
        );
    }

    #[test]
    fn line_breaks_of_windows_are_kept() {
        let text = inserted("Resources:\r\n  A: {Type: T}\r\n");
        assert!(!text.replace("\r\n", "").contains('\n'), "{text:?}");
    }

    #[test]
    fn a_parameter_that_exists_stays() {
        let text = inserted("Parameters:\n  P: {Default: 1}\nResources:\n");
        assert!(text.contains("P: {Default: 1}\nResources"), "{text}");
    }

    #[test]
    fn a_name_that_is_taken_is_refused_with_its_line() {
        let taken = insert("Resources:\n  A: {}\n  B: {}\n", "t.yaml", PIECE).unwrap_err();
        assert_eq!(
            taken.to_string(),
            "t.yaml:3: B exists. Choose another name."
        );
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "Resources: {A: {Type: T}}\n",
            "{Resources: {}}\n",
            "Resources:\n  A: [\n",
            "Resources: text\n",
            "Resources:\n- A\n",
            "- Resources\n",
            "",
            "Resources:\n  A: {Type: T}\n...\n# end\n",
            "Resources: &a\n  A: {Type: T}\n",
            "Resources:\n  A: {Type: T}\n--- \nB: {}\n",
            "? Resources\n: {A: {Type: T}}\n",
        ] {
            let result = insert(text, "t.yaml", PIECE);
            if let Ok(result) = &result {
                // What is written must mean the same to every reader.
                assert!(
                    result.contains("\nResources:\n"),
                    "{text:?} became {result:?}"
                );
            }
        }
        assert!(insert("Resources: {A: {Type: T}}\n", "t.yaml", PIECE).is_err());
        assert!(insert("Resources:\n  A: [\n", "t.yaml", PIECE).is_err());
        assert!(insert("Resources: text\n", "t.yaml", PIECE).is_err());
        assert!(insert("- Resources\n", "t.yaml", PIECE).is_err());
    }
}
