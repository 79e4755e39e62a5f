//! What an edit of usher.toml comes to.

use super::{Settings, Wish};

/// The wishes that lead from what the file said to what it says: those that are new or different, and the values of the
/// start for those that are gone. Windows come before sizes, which may need them, unless they shrink.
pub fn edited(before: &[Wish], after: &[Wish], settings: &Settings) -> Vec<Wish> {
    let gone = before.iter().filter(|old| {
        !after
            .iter()
            .any(|new| new.target == old.target && new.setting == old.setting)
    });
    let mut wishes: Vec<Wish> = gone
        .filter_map(|old| settings.initial(&old.target, &old.setting))
        .collect();
    wishes.extend(after.iter().filter(|new| !before.contains(new)).cloned());
    wishes.sort_by_key(|wish| {
        let rank = match (wish.setting.as_str(), wish.value.trim_end_matches('s')) {
            ("batching-window", "0") => 2,
            ("batching-window", _) => 0,
            _ => 1,
        };
        (wish.target.clone(), rank)
    });
    wishes
}

#[cfg(test)]
mod tests {
    use super::*;
    use sam_template::model::Application;

    fn wish(setting: &str, value: &str) -> Wish {
        Wish {
            target: "host".into(),
            setting: setting.into(),
            value: value.into(),
        }
    }

    #[test]
    fn what_is_gone_goes_back_and_what_stayed_is_left_alone() {
        let settings = Settings::new(
            &Application::default(),
            1,
            "info",
            std::time::Duration::ZERO,
        );
        assert_eq!(
            edited(&[wish("log", "debug")], &[], &settings),
            [wish("log", "info")]
        );
        assert_eq!(
            edited(&[wish("log", "debug")], &[wish("log", "debug")], &settings),
            []
        );
        assert_eq!(
            edited(&[], &[wish("log", "warn")], &settings),
            [wish("log", "warn")]
        );
    }

    #[test]
    fn a_size_that_needs_a_window_comes_after_it() {
        let settings = Settings::new(
            &Application::default(),
            1,
            "info",
            std::time::Duration::ZERO,
        );
        let order = |wishes: &[Wish]| {
            edited(&[], wishes, &settings)
                .iter()
                .map(|w| w.setting.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            order(&[wish("batch-size", "500"), wish("batching-window", "1")]),
            ["batching-window", "batch-size"]
        );
        assert_eq!(
            order(&[wish("batching-window", "0"), wish("batch-size", "5")]),
            ["batch-size", "batching-window"]
        );
    }
}
