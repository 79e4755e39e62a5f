//! Changes settings of a running host: the pure rules decide on a change, and the tuner puts what is
//! in force then into effect, at the sources, the pool or the log.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use crate::clock::epoch_ms;
use crate::instances::Pool;
use crate::lock::lock;
use crate::sources::Sources;
use crate::tuning::{
    AppliedChange, LogError, Setting, SettingError, SourceSettings, TunableSettings,
};
use sam_template::project::SettingChange;

/// Sets a new log filter, or returns why it is invalid.
pub type SetLog = Arc<dyn Fn(&str) -> Result<(), LogError> + Send + Sync>;

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

/// What a change may affect, as it is in force.
#[derive(Debug, PartialEq, Eq)]
struct InForce {
    log: Option<String>,
    limit: Option<NonZeroUsize>,
    sources: BTreeMap<String, SourceSettings>,
}

impl InForce {
    fn of(settings: &TunableSettings, change: &AppliedChange) -> Self {
        let is = |setting| change.setting == setting;
        let limit = settings.concurrency(&change.target);
        let limit = limit.and_then(|limit| NonZeroUsize::new(limit as usize));
        Self {
            log: settings
                .log()
                .map(str::to_owned)
                .filter(|_| is(Setting::Log)),
            limit: limit.filter(|_| is(Setting::Concurrency)),
            sources: settings.sources(),
        }
    }
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
    ) -> Result<Option<AppliedChange>, SettingError> {
        let at_ms = epoch_ms(SystemTime::now());
        let decided = self.decide(at_ms, who, request);
        let changed = decided.inspect_err(|why| tracing::warn!(who, "setting refused: {why}"))?;
        let Some(change) = changed else {
            return Ok(None);
        };
        if let Err(error) = self.put_in_force(&change) {
            let undo = SettingChange {
                value: change.old.to_string(),
                ..request.clone()
            };
            self.settings().apply(at_ms, who, &undo)?;
            return Err(error.into());
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

    fn decide(
        &self,
        at_ms: u64,
        who: &str,
        request: &SettingChange,
    ) -> Result<Option<AppliedChange>, SettingError> {
        let mut settings = self.settings();
        let mut next = settings.clone();
        let change = next.apply(at_ms, who, request)?;
        let of_log = change
            .as_ref()
            .is_some_and(|change| change.setting == Setting::Log);
        if of_log && self.log.is_none() {
            return Err(SettingError::FixedLog);
        }
        *settings = next;
        Ok(change)
    }

    /// Puts what is in force into effect, without the lock. A change that was decided meanwhile may
    /// have taken effect before; so this is repeated until what took effect last is in force.
    fn put_in_force(&self, change: &AppliedChange) -> Result<(), LogError> {
        let mut effective = None;
        loop {
            let now = InForce::of(&self.settings(), change);
            if effective.as_ref() == Some(&now) {
                return Ok(());
            }
            if let Some((log, text)) = self.log.as_ref().zip(now.log.as_ref()) {
                (log.set)(text)?;
            }
            if let Some(limit) = now.limit {
                self.pool.set_limit(&change.target, limit);
                self.sources.limit(&change.target, limit);
            }
            for (id, settings) in &now.sources {
                self.sources.tune(id, settings);
            }
            effective = Some(now);
        }
    }
}
