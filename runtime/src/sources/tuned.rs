//! Settings of a source that change while it runs.

use tokio::sync::watch;

use crate::tuning::SourceSettings;

/// The settings that an operator changed. `None`: none yet.
pub type TunedSettings = watch::Receiver<Option<SourceSettings>>;

/// Keeps the settings of a source across its runs, and passes changes to the current run.
#[derive(Debug)]
pub struct SettingsSender(watch::Sender<Option<SourceSettings>>);

impl Default for SettingsSender {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl SettingsSender {
    /// Sets the settings. A run is notified only if they differ.
    pub fn set(&self, settings: &SourceSettings) {
        self.0.send_if_modified(|now| {
            let changed = now.as_ref() != Some(settings);
            if changed {
                *now = Some(settings.clone());
            }
            changed
        });
    }

    /// The settings for one run. What was set before the run counts as changed.
    pub fn of_run(&self) -> TunedSettings {
        let mut settings = self.0.subscribe();
        settings.mark_changed();
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_run_has_earlier_settings() {
        let sender = SettingsSender::default();
        let settings = SourceSettings {
            batch_size: 7,
            ..SourceSettings::default()
        };
        let mut first = sender.of_run();
        sender.set(&settings);
        assert_eq!(first.borrow_and_update().as_ref(), Some(&settings));
        sender.set(&settings);
        assert!(
            !first.has_changed().unwrap(),
            "the same settings notify no run"
        );
        let mut second = sender.of_run();
        assert!(second.has_changed().unwrap());
        assert_eq!(second.borrow_and_update().as_ref(), Some(&settings));
    }
}
