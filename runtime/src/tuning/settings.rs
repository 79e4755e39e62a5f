//! The settings in force, and the changes that were applied to them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::{
    BatchSettings, HOST, Setting, SettingChange, SettingError, SettingTarget, SettingValue,
    SourceSettings, TunableSource, partitions,
};
use crate::observation::Recent;
use event_sources::stream::Partition;
use sam_template::document::nearest;
use sam_template::model::Application;

/// Applied changes that are kept.
const MAX_CHANGES: usize = 50;

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedChange {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Where the change came from, such as `cli` or `page`.
    pub who: String,
    /// Logical id, or [`HOST`].
    pub target: String,
    /// Which setting.
    pub setting: Setting,
    /// Value before.
    pub old: SettingValue,
    /// Value after.
    pub new: SettingValue,
}

/// A setting in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingView {
    /// Logical id, or [`HOST`].
    pub target: String,
    /// The kind of the target.
    pub subject: SettingTarget,
    /// Which setting.
    pub setting: Setting,
    /// Its value.
    pub value: SettingValue,
    /// The value with which the host started.
    pub initial: SettingValue,
}

/// Every setting with its value.
#[derive(Debug, Clone)]
pub struct TunableSettings {
    values: BTreeMap<(String, Setting), SettingView>,
    sources: BTreeMap<String, TunedSource>,
    /// Invocations that one process of each function takes at one time.
    per_instance: BTreeMap<String, u32>,
    changes: Recent<AppliedChange>,
    aws_timing: bool,
}

#[derive(Debug, Clone)]
struct TunedSource {
    initial: TunableSource,
    paused_partitions: BTreeSet<Partition>,
}

impl TunableSettings {
    /// The settings of these sources, of the functions of an application and of the host.
    /// `concurrency`: instances of a function that reserves none; `log`: the log directives in
    /// force; `aws_timing`: a source without a window has that of the service.
    pub fn new(
        sources: impl IntoIterator<Item = TunableSource>,
        app: &Application,
        concurrency: usize,
        log: &str,
        aws_timing: bool,
    ) -> Self {
        let mut settings = Self {
            values: BTreeMap::new(),
            sources: BTreeMap::new(),
            per_instance: BTreeMap::new(),
            changes: Recent::new(MAX_CHANGES),
            aws_timing,
        };
        for source in sources {
            settings.add_source(source);
        }
        for (id, function) in &app.functions {
            let per_instance = function.per_instance();
            settings.per_instance.insert(id.clone(), per_instance);
            let max = function.max_instances().unwrap_or(concurrency as u32);
            if max > 0 {
                let max = SettingValue::Number(max);
                settings.insert(id, &SettingTarget::Function, Setting::Concurrency, max);
            }
        }
        let log = SettingValue::Text(log.to_owned());
        settings.insert(HOST, &SettingTarget::Host, Setting::Log, log);
        settings
    }

    fn add_source(&mut self, source: TunableSource) {
        let id = &source.id;
        let subject = SettingTarget::Source(source.subject.clone());
        let paused_partitions = BTreeSet::new();
        let mut values = vec![
            (Setting::BatchSize, SettingValue::Number(source.batch_size)),
            (Setting::BatchingWindow, SettingValue::time(source.window)),
            (Setting::Paused, SettingValue::Flag(false)),
        ];
        if let Some(units) = &source.units {
            let none = SettingValue::Text(partitions::format_list(&paused_partitions, units));
            values.push((Setting::PausedPartitions, none));
        }
        for (setting, value) in values {
            self.insert(id, &subject, setting, value);
        }
        let tuned = TunedSource {
            initial: source.clone(),
            paused_partitions,
        };
        self.sources.insert(source.id, tuned);
    }

    fn insert(
        &mut self,
        target: &str,
        subject: &SettingTarget,
        setting: Setting,
        value: SettingValue,
    ) {
        let view = SettingView {
            target: target.to_owned(),
            subject: subject.clone(),
            setting,
            initial: value.clone(),
            value,
        };
        self.values.insert((target.to_owned(), setting), view);
    }

    /// Checks a change and applies it. `None`: the value is in force already.
    ///
    /// # Errors
    /// Why the change is refused, and which values are accepted.
    pub fn apply(
        &mut self,
        at_ms: u64,
        who: &str,
        request: &SettingChange,
    ) -> Result<Option<AppliedChange>, SettingError> {
        let target = &request.target;
        let setting = self.find(request)?;
        let refused = |error| SettingError::Value {
            target: target.clone(),
            setting,
            error,
        };
        let of_source = self.sources.get(target);
        let units = of_source
            .filter(|_| setting == Setting::PausedPartitions)
            .and_then(|source| Some((source.initial.units.as_ref()?, &source.paused_partitions)));
        let (new, paused) = match units {
            Some((units, now)) => {
                let paused = partitions::parse_list(&request.value, now, units).map_err(refused)?;
                let written = partitions::format_list(&paused, units);
                (SettingValue::Text(written), Some(paused))
            }
            None => (setting.read(&request.value).map_err(refused)?, None),
        };
        if let Some(source) = of_source {
            self.check_batch(source, setting, &new)?;
        }
        let known = self.values.get_mut(&(target.clone(), setting));
        let Some(view) = known.filter(|view| view.value != new) else {
            return Ok(None);
        };
        let old = std::mem::replace(&mut view.value, new.clone());
        if let Some((source, paused)) = self.sources.get_mut(target).zip(paused) {
            source.paused_partitions = paused;
        }
        let change = AppliedChange {
            at_ms,
            who: who.to_owned(),
            target: target.clone(),
            setting,
            old,
            new,
        };
        self.changes.push(change.clone());
        Ok(Some(change))
    }

    fn find(&self, request: &SettingChange) -> Result<Setting, SettingError> {
        let target = &request.target;
        let all = self.values.values();
        let known: Vec<Setting> = all
            .clone()
            .filter(|view| view.target == *target)
            .map(|view| view.setting)
            .collect();
        if known.is_empty() {
            let mut names: Vec<String> = all.map(|view| view.target.clone()).collect();
            names.dedup();
            return Err(SettingError::UnknownTarget {
                target: target.clone(),
                nearest: nearest(target, names.iter().map(String::as_str)).map(str::to_owned),
                known: names,
            });
        }
        let setting = known
            .iter()
            .find(|setting| setting.name() == request.setting);
        setting
            .copied()
            .ok_or_else(|| SettingError::UnknownSetting {
                target: target.clone(),
                setting: request.setting.clone(),
                known: known.iter().map(|setting| setting.name()).collect(),
            })
    }

    /// Applies the rule of the source's kind to its batches.
    fn check_batch(
        &self,
        source: &TunedSource,
        changed: Setting,
        new: &SettingValue,
    ) -> Result<(), SettingError> {
        let target = &source.initial.id;
        let value = |of: Setting| {
            if of == changed {
                Some(new)
            } else {
                self.value(target, of)
            }
        };
        let size = value(Setting::BatchSize).and_then(SettingValue::number);
        let window = value(Setting::BatchingWindow).and_then(SettingValue::duration);
        let batches = BatchSettings {
            size: size.unwrap_or_default(),
            window: window.unwrap_or_default(),
            changed,
        };
        (source.initial.rule)(batches).map_err(|error| SettingError::Batch {
            target: target.clone(),
            error,
        })
    }

    fn value(&self, target: &str, setting: Setting) -> Option<&SettingValue> {
        Some(&self.values.get(&(target.to_owned(), setting))?.value)
    }

    fn number(&self, target: &str, setting: Setting) -> Option<u32> {
        self.value(target, setting)?.number()
    }

    /// Invocations of a function at one time at most: those of all its processes.
    pub fn max_invocations(&self, function: &str) -> u32 {
        let instances = self.number(function, Setting::Concurrency).unwrap_or(0);
        let each = self.per_instance.get(function).copied().unwrap_or(1);
        instances.saturating_mul(each)
    }

    /// The settings in force of a source.
    pub fn for_source(&self, id: &str) -> Option<SourceSettings> {
        let TunedSource {
            initial,
            paused_partitions,
        } = self.sources.get(id)?;
        let concurrency = self.max_invocations(&initial.function);
        let own = initial.max_concurrency;
        Some(SourceSettings {
            batch_size: self.number(id, Setting::BatchSize)? as usize,
            window: match self.value(id, Setting::BatchingWindow)?.duration()? {
                Duration::ZERO if self.aws_timing => initial.service_window,
                window => window,
            },
            concurrency: own.map_or(concurrency, |own| own.min(concurrency)) as usize,
            paused: self.value(id, Setting::Paused) == Some(&SettingValue::Flag(true)),
            paused_partitions: paused_partitions.clone(),
        })
    }

    /// The settings in force of every source, by logical id.
    pub fn sources(&self) -> BTreeMap<String, SourceSettings> {
        let sources = self.sources.keys();
        sources
            .filter_map(|id| Some((id.clone(), self.for_source(id)?)))
            .collect()
    }

    /// The limit in force of the instances of a function.
    pub fn concurrency(&self, function: &str) -> Option<u32> {
        self.number(function, Setting::Concurrency)
    }

    /// The log directives in force.
    pub fn log(&self) -> Option<&str> {
        match self.value(HOST, Setting::Log)? {
            SettingValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The change that restores the value with which the host started.
    pub fn initial(&self, target: &str, setting: &str) -> Option<SettingChange> {
        let mut all = self.values.values();
        let view = all.find(|view| view.target == target && view.setting.name() == setting)?;
        Some(SettingChange {
            target: target.to_owned(),
            setting: setting.to_owned(),
            value: view.initial.to_string(),
        })
    }

    /// All settings in force.
    pub fn views(&self) -> Vec<SettingView> {
        self.values.values().cloned().collect()
    }

    /// Applied changes, newest first.
    pub fn changes(&self) -> Vec<AppliedChange> {
        self.changes.newest().cloned().collect()
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
