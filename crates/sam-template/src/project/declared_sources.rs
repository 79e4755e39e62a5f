//! `[sources.NAME]` of usher.toml: sources of events that a template cannot declare.

use crate::document::{Entry, Reader, is_name};
use crate::model::DeclaredSource;

/// Longest name of a source.
const MAX_NAME: usize = 64;

/// Reads every table. Whether the type and the function exist is checked with the template.
pub(super) fn read(reader: &Reader<'_>) -> Vec<DeclaredSource> {
    let entries = reader.entries("sources").iter();
    entries.filter_map(|entry| one(entry, reader)).collect()
}

fn one(entry: &Entry, file: &Reader<'_>) -> Option<DeclaredSource> {
    let id = &entry.key;
    let what = format!("[sources] {id}");
    let table = Reader::at(&entry.value, entry.line, what, file.problems);
    if !is_name(id, "-_.", MAX_NAME) {
        let message = "the name of a source has letters, digits, -, _ and ., at most 64.";
        table.error_on(entry.line, message);
    }
    if entry.value.text().is_some() || entry.value.entries().is_empty() {
        let message = format!(
            "{} must be a table with a type and a function. Write [sources.{id}].",
            table.what
        );
        file.problems.error(entry.line, message);
        return None;
    }
    let kind = table.required("type", "Write the type of the source.");
    let function = table.required("function", "Write the logical id of a function.");
    let enabled = table.flag("enabled").unwrap_or(true);
    Some(DeclaredSource {
        id: id.clone(),
        kind: kind?.to_owned(),
        function: function?.to_owned(),
        enabled,
        table: entry.value.clone(),
        file: file.problems.file().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Problems, parse_toml};

    fn read_text(text: &str) -> (Vec<DeclaredSource>, Vec<(usize, String)>) {
        let problems = Problems::new("usher.toml");
        let root = parse_toml(text, &problems);
        let sources = read(&Reader::new(&root, "usher.toml", &problems));
        let found = problems.finish().err().unwrap_or_default();
        let found = found.into_iter().map(|one| (one.line, one.message));
        (sources, found.collect())
    }

    #[test]
    fn a_declared_source_keeps_its_keys_with_their_lines() {
        let (sources, problems) = read_text(
            "[sources.cache]\ntype = 'Stream'\nfunction = 'Worker'\nbatch-size = 7\nenabled = false\n",
        );
        assert_eq!(problems, []);
        let [source] = &sources[..] else {
            panic!("{sources:?}")
        };
        assert_eq!(
            (
                source.id.as_str(),
                source.kind.as_str(),
                source.function.as_str(),
                source.enabled
            ),
            ("cache", "Stream", "Worker", false)
        );
        let (size, problems) =
            source.read("batch-size", |table| table.number("batch-size", 1..=10));
        assert_eq!((size, problems), (Some(7), vec![]));
        let ((), problems) = source.read("batch-sizes", |_| ());
        assert_eq!((problems.len(), problems[0].line), (1, 4));
        assert!(
            problems[0].message.contains("Did you mean batch-sizes?"),
            "{problems:?}"
        );
        let problem = source.problem("function", "is idle.");
        assert_eq!(
            problem.to_string(),
            "usher.toml:3: [sources] cache: is idle."
        );
    }

    #[test]
    fn an_incomplete_source_is_reported_with_its_line() {
        let (sources, problems) = read_text(
            "[sources]\nplain = 'text'\n[sources.'no name']\ntype = 'A'\nfunction = 'F'\n\
             [sources.empty]\n[sources.half]\ntype = ['A']\n",
        );
        let lines: Vec<usize> = problems.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 6, 7, 8], "{problems:?}");
        assert_eq!(sources.len(), 1, "{sources:?}");
    }
}
