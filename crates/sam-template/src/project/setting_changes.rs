//! `[settings]` of usher.toml: values that can also be changed while the host runs.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::SETTINGS;
use crate::document::{Kind, Node, Problems, Reader, parse_toml};
use crate::model::Diagnostic;

/// Target of the host's own settings.
pub const HOST: &str = "host";

/// A new value for one setting of a running host: from the command line, the control page or
/// usher.toml.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingChange {
    /// Logical id of a mapping or a function, or [`HOST`].
    pub target: String,
    /// Name of the setting, such as `batch-size`.
    pub setting: String,
    /// The value, as written.
    pub value: String,
}

/// Reads only this section, for a running host whose file has changed. A missing file has none.
///
/// # Errors
/// Every problem, by line.
pub fn setting_changes(file: &Path) -> Result<Vec<SettingChange>, Vec<Diagnostic>> {
    let mut problems = Problems::new(file.display().to_string());
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            problems.unreadable(0, format!("cannot be read: {error}."));
            String::new()
        }
    };
    let root = parse_toml(&text, &mut problems);
    let changes = read(&Reader::new(&root, SETTINGS), &mut problems);
    problems.finish().map(|_| changes)
}

/// Reads the host's own settings (`log = "debug"`) and a table for each mapping or function
/// (`[settings.Orders.Topic] batch-size = 500`).
pub(super) fn read(reader: &Reader<'_>, problems: &mut Problems) -> Vec<SettingChange> {
    let Some(section) = reader.child("settings", problems) else {
        return Vec::new();
    };
    let mut changes = Vec::new();
    for entry in section.node.entries() {
        match &entry.value.kind {
            Kind::Scalar(value) => changes.push(change(HOST, &entry.key, value)),
            Kind::Map(_) => table(&entry.key, &entry.value, &mut changes, problems),
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
    changes
}

/// A table of settings. A nested table belongs to a name with a dot (`[settings.Function.Event]`).
fn table(target: &str, node: &Node, changes: &mut Vec<SettingChange>, problems: &mut Problems) {
    for entry in node.entries() {
        match &entry.value.kind {
            Kind::Scalar(value) => changes.push(change(target, &entry.key, value)),
            Kind::Map(_) => table(
                &format!("{target}.{}", entry.key),
                &entry.value,
                changes,
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

fn change(target: &str, setting: &str, value: &str) -> SettingChange {
    let [target, setting, value] = [target, setting, value].map(str::to_owned);
    SettingChange {
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
        assert_eq!(setting_changes(&file), Ok(vec![]));
        std::fs::write(
            &file,
            "[settings]\nlog = 'debug'\n[settings.Orders.In]\nbatch-size = 500\npaused = true\n",
        )
        .unwrap();
        let changes = setting_changes(&file).unwrap();
        let words: Vec<String> = changes
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
        assert_eq!(setting_changes(&file).unwrap_err()[0].line, 2);
    }
}
