//! `[settings]` of usher.toml: values that can also be changed while the host runs.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{SETTINGS, read_toml};
use crate::document::{Entry, Kind, Problems, Reader};
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
    let problems = Problems::new(file.display().to_string());
    let root = read_toml(file, &problems);
    let changes = root.map_or_else(Vec::new, |root| {
        read(&Reader::new(&root, SETTINGS, &problems))
    });
    problems.finish().map(|_| changes)
}

/// Reads the host's own settings (`log = "debug"`) and a table for each mapping or function
/// (`[settings.Orders.Topic] batch-size = 500`).
pub(super) fn read(reader: &Reader<'_>) -> Vec<SettingChange> {
    let mut changes = Vec::new();
    table(
        None,
        reader.entries("settings"),
        &mut changes,
        reader.problems,
    );
    changes
}

/// A table of settings; those of the host have no target. A nested table belongs to a name with a
/// dot (`[settings.Function.Event]`).
fn table(
    target: Option<&str>,
    entries: &[Entry],
    changes: &mut Vec<SettingChange>,
    problems: &Problems,
) {
    let (section, expected) = match target {
        Some(target) => (format!("settings.{target}"), "a value"),
        None => ("settings".to_owned(), "a value or a table"),
    };
    for Entry { key, line, value } in entries {
        match &value.kind {
            Kind::Scalar(value) => changes.push(SettingChange {
                target: target.unwrap_or(HOST).to_owned(),
                setting: key.clone(),
                value: value.clone(),
            }),
            Kind::Map(inner) => {
                let nested = target.map_or_else(|| key.clone(), |target| format!("{target}.{key}"));
                table(Some(&nested), inner, changes, problems);
            }
            _ => {
                let found = value.describe();
                let message = format!("[{section}] {key} must be {expected}, not {found}.");
                problems.error(*line, message);
            }
        }
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
