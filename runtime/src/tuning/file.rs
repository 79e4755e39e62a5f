//! Setting changes that follow from an edit of usher.toml.

use super::{SettingChange, TunableSettings};

/// The changes from one version of the file to the next: entries that are new or different, and the
/// initial values of entries that were removed. A window that is set comes before batch sizes,
/// which may need it; a window that becomes 0 comes after them.
pub fn changes_between(
    before: &[SettingChange],
    after: &[SettingChange],
    settings: &TunableSettings,
) -> Vec<SettingChange> {
    let gone = before.iter().filter(|old| {
        !after
            .iter()
            .any(|new| new.target == old.target && new.setting == old.setting)
    });
    let mut changes: Vec<SettingChange> = gone
        .filter_map(|old| settings.initial(&old.target, &old.setting))
        .collect();
    changes.extend(after.iter().filter(|new| !before.contains(new)).cloned());
    changes.sort_by_key(|change| {
        let rank = match (
            change.setting.as_str(),
            change.value.trim_end_matches(['m', 's']),
        ) {
            ("batching-window", "0") => 2,
            ("batching-window", _) => 0,
            _ => 1,
        };
        (change.target.clone(), rank)
    });
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use sam_template::model::Application;

    fn change(setting: &str, value: &str) -> SettingChange {
        SettingChange {
            target: "host".into(),
            setting: setting.into(),
            value: value.into(),
        }
    }

    #[test]
    fn a_removed_entry_restores_the_initial_value() {
        let settings = TunableSettings::new([], &Application::default(), 1, "info", false);
        assert_eq!(
            changes_between(&[change("log", "debug")], &[], &settings),
            [change("log", "info")]
        );
        assert_eq!(
            changes_between(
                &[change("log", "debug")],
                &[change("log", "debug")],
                &settings
            ),
            []
        );
        assert_eq!(
            changes_between(&[], &[change("log", "warn")], &settings),
            [change("log", "warn")]
        );
    }

    #[test]
    fn a_window_comes_before_the_size_needing_it() {
        let settings = TunableSettings::new([], &Application::default(), 1, "info", false);
        let order = |changes: &[SettingChange]| {
            changes_between(&[], changes, &settings)
                .iter()
                .map(|change| change.setting.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            order(&[change("batch-size", "500"), change("batching-window", "1")]),
            ["batching-window", "batch-size"]
        );
        assert_eq!(
            order(&[change("batching-window", "0"), change("batch-size", "5")]),
            ["batch-size", "batching-window"]
        );
    }
}
