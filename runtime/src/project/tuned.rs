//! `[settings]` of usher.toml: what may also be changed while the host runs.

use std::path::Path;

use super::SETTINGS;
use crate::document::{Kind, Node, Problems, Reader, parse_toml};
use crate::model::Diagnostic;
use crate::tuning::{HOST, Wish};

/// The section of a file, read alone: what a running host looks at when the file changes. No file, no wishes.
///
/// # Errors
/// What is wrong, by line.
pub fn tuned(file: &Path) -> Result<Vec<Wish>, Vec<Diagnostic>> {
    let mut problems = Problems::new(file.display().to_string());
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            problems.illegible(0, format!("cannot be read: {error}."));
            String::new()
        }
    };
    let root = parse_toml(&text, &mut problems);
    let wishes = read(&Reader::new(&root, SETTINGS), &mut problems);
    problems.finish().map(|_| wishes)
}

/// A table for each mapping or function, and the host's own settings between them: `log = "debug"`, `[settings.Orders.Topic] batch-size = 500`.
pub(super) fn read(reader: &Reader<'_>, problems: &mut Problems) -> Vec<Wish> {
    let Some(section) = reader.child("settings", problems) else {
        return Vec::new();
    };
    let mut wishes = Vec::new();
    for entry in section.node.entries() {
        match &entry.value.kind {
            Kind::Scalar(value) => wishes.push(wish(HOST, &entry.key, value)),
            Kind::Map(_) => table(&entry.key, &entry.value, &mut wishes, problems),
            _ => problems.error(
                entry.line,
                format!(
                    "[settings] {} must be a value or a table, not {}.",
                    entry.key,
                    entry.value.describe()
                ),
            ),
        }
    }
    wishes
}

/// A table of settings; one within it belongs to a name with a dot (`[settings.Function.Event]`).
fn table(target: &str, node: &Node, wishes: &mut Vec<Wish>, problems: &mut Problems) {
    for entry in node.entries() {
        match &entry.value.kind {
            Kind::Scalar(value) => wishes.push(wish(target, &entry.key, value)),
            Kind::Map(_) => table(
                &format!("{target}.{}", entry.key),
                &entry.value,
                wishes,
                problems,
            ),
            _ => problems.error(
                entry.line,
                format!(
                    "[settings.{target}] {} must be a value, not {}.",
                    entry.key,
                    entry.value.describe()
                ),
            ),
        }
    }
}

fn wish(target: &str, setting: &str, value: &str) -> Wish {
    let [target, setting, value] = [target, setting, value].map(str::to_owned);
    Wish {
        target,
        setting,
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_mappings_and_of_the_host_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(SETTINGS);
        assert_eq!(tuned(&file), Ok(vec![]));
        std::fs::write(
            &file,
            "[settings]\nlog = 'debug'\n[settings.Orders.In]\nbatch-size = 500\npaused = true\n",
        )
        .unwrap();
        let wishes = tuned(&file).unwrap();
        let words: Vec<String> = wishes
            .iter()
            .map(|w| format!("{} {} {}", w.target, w.setting, w.value))
            .collect();
        assert_eq!(
            words,
            [
                "host log debug",
                "Orders.In batch-size 500",
                "Orders.In paused true"
            ]
        );
        std::fs::write(&file, "[settings]\nOrders = [1]\n").unwrap();
        assert_eq!(tuned(&file).unwrap_err()[0].line, 2);
    }
}
