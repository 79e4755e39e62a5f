//! Changes settings of a running host: the pure rules validate a change, and the tuner applies it
//! to mapping, pool or log.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use crate::clock::epoch_ms;
use crate::instances::Pool;
use crate::lock::lock;
use crate::sources::Sources;
use crate::tuning::{AppliedChange, Setting, SettingValue, TunableSettings};
use sam_template::project::SettingChange;

/// Sets a new log filter, or returns why it is invalid.
pub type SetLog = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Changes what the host logs.
#[derive(Clone)]
pub struct LogSwitch {
    /// The filter in force, in the form of `RUST_LOG`.
    pub now: String,
    /// Sets another one.
    pub set: SetLog,
}

impl fmt::Debug for LogSwitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogSwitch")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// Changes settings.
#[derive(Debug)]
pub struct Tuner {
    settings: Mutex<TunableSettings>,
    sources: Sources,
    pool: Arc<Pool>,
    log: Option<LogSwitch>,
}

impl Tuner {
    /// Changes these settings of these sources, pool and log.
    pub fn new(
        settings: TunableSettings,
        sources: Sources,
        pool: Arc<Pool>,
        log: Option<LogSwitch>,
    ) -> Self {
        Self {
            settings: Mutex::new(settings),
            sources,
            pool,
            log,
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> MutexGuard<'_, TunableSettings> {
        lock(&self.settings)
    }

    /// Applies a change. `None`: the setting has this value already.
    ///
    /// # Errors
    /// Why nothing changed.
    pub fn apply(
        &self,
        who: &str,
        request: &SettingChange,
    ) -> Result<Option<AppliedChange>, String> {
        let at_ms = epoch_ms(SystemTime::now());
        let mut settings = self.settings();
        let mut next = settings.clone();
        let changed = next
            .apply(at_ms, who, request)
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
            (Setting::Concurrency, SettingValue::Number(limit)) => {
                if let Some(limit) = std::num::NonZeroUsize::new(*limit as usize) {
                    self.pool.set_limit(&change.target, limit);
                    self.sources.limit(&change.target, limit);
                }
            }
            _ => {}
        }
        *settings = next;
        for mapping in settings.mappings() {
            if let Some(new) = settings.for_source(mapping) {
                self.sources.tune(mapping, &new);
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
