//! `[settings]` of usher.toml: what may also be changed while the host runs.

use std::path::Path;

use super::SETTINGS;
use crate::document::{Kind, Problems, Reader, parse_toml};
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

/// A table for each mapping or function, and the host's own settings between them: `log = "debug"`, `[settings.Orders] batch-size = 500`.
pub(super) fn read(reader: &Reader<'_>, problems: &mut Problems) -> Vec<Wish> {
    let Some(section) = reader.child("settings", problems) else { return Vec::new() };
    let mut wishes = Vec::new();
    let mut add = |target: &str, setting: &str, value: &str| {
        let [target, setting, value] = [target, setting, value].map(str::to_owned);
        wishes.push(Wish { target, setting, value });
    };
    for entry in section.node.entries() {
        match &entry.value.kind {
            Kind::Scalar(value) => add(HOST, &entry.key, value),
            Kind::Map(inner) => {
                for setting in inner {
                    match setting.value.text() {
                        Some(value) => add(&entry.key, &setting.key, value),
                        None => problems.error(
                            setting.line,
                            format!(
                                "[settings.{}] {} must be a value, not {}.",
                                entry.key,
                                setting.key,
                                setting.value.describe()
                            ),
                        ),
                    }
                }
            }
            _ => problems.error(
                entry.line,
                format!("[settings] {} must be a value or a table, not {}.", entry.key, entry.value.describe()),
            ),
        }
    }
    wishes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_mappings_and_of_the_host_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(SETTINGS);
        assert_eq!(tuned(&file), Ok(vec![]));
        std::fs::write(&file, "[settings]\nlog = 'debug'\n[settings.Orders]\nbatch-size = 500\npaused = true\n").unwrap();
        let wishes = tuned(&file).unwrap();
        let words: Vec<String> = wishes.iter().map(|w| format!("{} {} {}", w.target, w.setting, w.value)).collect();
        assert_eq!(words, ["host log debug", "Orders batch-size 500", "Orders paused true"]);
        std::fs::write(&file, "[settings]\nOrders = [1]\n").unwrap();
        assert_eq!(tuned(&file).unwrap_err()[0].line, 2);
    }
}
