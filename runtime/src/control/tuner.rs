//! Fulfils wishes: the pure rules decide, then mapping, pool or log is told, and the change is reported.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use tokio::sync::watch;

use crate::asynchronous::AsyncQueue;
use crate::clock::epoch_ms;
use crate::instances::Pool;
use crate::tuning::{
    AppliedChange, Setting, SettingChange, SettingValue, SettingView, SourceSettings,
    TunableSettings,
};

/// Takes a new filter, or says why it cannot be.
pub type SetLog = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Changes what the host logs.
#[derive(Clone)]
pub struct LogSwitch {
    /// What is logged now, as `RUST_LOG` has it.
    pub now: String,
    /// Says why it cannot be what is asked for.
    pub set: SetLog,
}

impl fmt::Debug for LogSwitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogSwitch")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// What may be changed of a running host.
#[derive(Debug)]
pub struct Tuner {
    settings: Mutex<TunableSettings>,
    sources: BTreeMap<String, watch::Sender<Option<SourceSettings>>>,
    pool: Arc<Pool>,
    events: AsyncQueue,
    log: Option<LogSwitch>,
}

impl Tuner {
    /// `sources`: a way to each mapping, by logical id.
    pub fn new(
        settings: TunableSettings,
        sources: BTreeMap<String, watch::Sender<Option<SourceSettings>>>,
        (pool, events): (Arc<Pool>, AsyncQueue),
        log: Option<LogSwitch>,
    ) -> Self {
        Self {
            settings: Mutex::new(settings),
            sources,
            pool,
            events,
            log,
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> MutexGuard<'_, TunableSettings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fulfils a wish. `None`: it is so already.
    ///
    /// # Errors
    /// Why nothing changed.
    pub fn wish(&self, who: &str, wish: &SettingChange) -> Result<Option<AppliedChange>, String> {
        let at_ms = epoch_ms(SystemTime::now());
        let mut settings = self.settings();
        let mut next = settings.clone();
        let changed = next
            .apply(at_ms, who, wish)
            .inspect_err(|why| tracing::warn!(who, "setting refused: {why}"))?;
        let Some(change) = changed else {
            return Ok(None);
        };
        match (&change.setting, &change.new) {
            (Setting::Log, SettingValue::Text(text)) => {
                let log = self
                    .log
                    .as_ref()
                    .ok_or("this host's log cannot be changed")?;
                (log.set)(text)?;
            }
            (Setting::Concurrency, SettingValue::Number(most)) => {
                if let Some(most) = std::num::NonZeroUsize::new(*most as usize) {
                    self.pool.set_limit(&change.target, most);
                    self.events.limit(&change.target, most);
                }
            }
            _ => {}
        }
        *settings = next;
        for mapping in settings.mappings() {
            if let Some((told, new)) = self.sources.get(mapping).zip(settings.for_source(mapping)) {
                // only those for whom something is different hear of it
                told.send_if_modified(|now| now.replace(new.clone()) != Some(new));
            }
        }
        let target = &change.target;
        let setting = change.setting.name();
        tracing::info!(
            who,
            target,
            "setting {setting}: {} -> {}",
            change.old,
            change.new
        );
        Ok(Some(change))
    }
}

/// `GET /_usher/settings`.
#[derive(Debug, Serialize)]
pub(super) struct SettingsSnapshot {
    settings: Vec<SettingView>,
    changes: Vec<AppliedChange>,
}

pub(super) fn snapshot(tuner: &Tuner) -> SettingsSnapshot {
    let settings = tuner.settings();
    SettingsSnapshot {
        settings: settings.views(),
        changes: settings.changes(),
    }
}
