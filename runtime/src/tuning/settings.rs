//! The settings in force, and the changes that were applied to them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::{
    HOST, Setting, SettingChange, SettingTarget, SettingValue, SourceSettings, partitions,
};
use crate::observation::Recent;
use event_sources::stream::Partition;
use sam_template::document::nearest;
use sam_template::model::Application;

/// Applied changes that are kept.
const MAX_CHANGES: usize = 50;

/// Messages that one receive of SQS returns at most, which bounds a batch without a window.
const ONE_RECEIVE: u32 = 10;

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
    /// Function of each mapping, and the `MaximumConcurrency` of its own.
    sources: BTreeMap<String, (String, Option<u32>)>,
    /// Invocations that one process of each function takes at one time.
    per_instance: BTreeMap<String, u32>,
    /// Topics of each Kafka mapping, and its paused partitions.
    partitions: BTreeMap<String, (Vec<String>, BTreeSet<Partition>)>,
    changes: Recent<AppliedChange>,
    /// How long a Kafka mapping without a window gathers records.
    gathers: Duration,
}

impl TunableSettings {
    /// The settings of an application. `concurrency`: instances of a function that reserves none;
    /// `log`: the log directives in force; `gathers`: how long a Kafka mapping without a window
    /// gathers records.
    pub fn new(app: &Application, concurrency: usize, log: &str, gathers: Duration) -> Self {
        let mut settings = Self {
            values: BTreeMap::new(),
            sources: BTreeMap::new(),
            per_instance: BTreeMap::new(),
            partitions: BTreeMap::new(),
            changes: Recent::new(MAX_CHANGES),
            gathers,
        };
        for mapping in app.kafka.iter().filter(|mapping| mapping.enabled) {
            let id = &mapping.id;
            let batches = (mapping.batch_size, mapping.batching_window);
            let function = (mapping.function.as_str(), None);
            settings.source(id, SettingTarget::Kafka, batches, function);
            let paused = (mapping.topics.clone(), BTreeSet::new());
            let none = SettingValue::Text(partitions::format_list(&paused.1, &paused.0));
            settings.insert(id, SettingTarget::Kafka, Setting::PausedPartitions, none);
            settings.partitions.insert(id.clone(), paused);
        }
        for mapping in app.sqs.iter().filter(|mapping| mapping.enabled) {
            let fifo = mapping.fifo();
            let batches = (mapping.batch_size, mapping.batching_window);
            let function = (mapping.function.as_str(), mapping.max_concurrency);
            settings.source(
                &mapping.id,
                SettingTarget::Queue { fifo },
                batches,
                function,
            );
        }
        for (id, function) in &app.functions {
            let per_instance = function.per_instance();
            settings.per_instance.insert(id.clone(), per_instance);
            let max = function.max_instances().unwrap_or(concurrency as u32);
            if max > 0 {
                let max = SettingValue::Number(max);
                settings.insert(id, SettingTarget::Function, Setting::Concurrency, max);
            }
        }
        let log = SettingValue::Text(log.to_owned());
        settings.insert(HOST, SettingTarget::Host, Setting::Log, log);
        settings
    }

    fn source(
        &mut self,
        id: &str,
        subject: SettingTarget,
        (size, window): (u32, Duration),
        (function, max_concurrency): (&str, Option<u32>),
    ) {
        let window = SettingValue::Number(window.as_secs() as u32);
        self.insert(id, subject, Setting::BatchSize, SettingValue::Number(size));
        self.insert(id, subject, Setting::BatchingWindow, window);
        self.insert(id, subject, Setting::Paused, SettingValue::Flag(false));
        let source = (function.to_owned(), max_concurrency);
        self.sources.insert(id.to_owned(), source);
    }

    fn insert(
        &mut self,
        target: &str,
        subject: SettingTarget,
        setting: Setting,
        value: SettingValue,
    ) {
        let view = SettingView {
            target: target.to_owned(),
            subject,
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
    ) -> Result<Option<AppliedChange>, String> {
        let target = &request.target;
        let (subject, setting) = self.find(request)?;
        let refused = |why: String| format!("{} of {target} {why}.", setting.name());
        let of_mapping = self.partitions.get(target);
        let (new, paused) = match of_mapping.filter(|_| setting == Setting::PausedPartitions) {
            Some((topics, now)) => {
                let paused =
                    partitions::parse_list(&request.value, now, topics).map_err(refused)?;
                let written = partitions::format_list(&paused, topics);
                (SettingValue::Text(written), Some(paused))
            }
            None => (setting.read(&request.value).map_err(refused)?, None),
        };
        if let SettingTarget::Queue { fifo } = subject {
            self.queue_takes(target, fifo, setting, &new)?;
        }
        let known = self.values.get_mut(&(target.clone(), setting));
        let Some(view) = known.filter(|view| view.value != new) else {
            return Ok(None);
        };
        let old = std::mem::replace(&mut view.value, new.clone());
        if let Some(((_, now), paused)) = self.partitions.get_mut(target).zip(paused) {
            *now = paused;
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

    fn find(&self, request: &SettingChange) -> Result<(SettingTarget, Setting), String> {
        let target = &request.target;
        let all = self.values.values();
        let known: Vec<&SettingView> = all.clone().filter(|view| view.target == *target).collect();
        if known.is_empty() {
            let mut names: Vec<&str> = all.map(|view| view.target.as_str()).collect();
            names.dedup();
            let hint = nearest(target, names.iter().copied())
                .map(|near| format!(" Did you mean {near}?"))
                .unwrap_or_default();
            return Err(format!(
                "there is nothing called {target} to set.{hint} There is: {}.",
                names.join(", ")
            ));
        }
        let view = known
            .iter()
            .find(|view| view.setting.name() == request.setting);
        view.map(|view| (view.subject, view.setting))
            .ok_or_else(|| {
                let names: Vec<&str> = known.iter().map(|view| view.setting.name()).collect();
                format!(
                    "{target} has no setting {}. It has: {}.",
                    request.setting,
                    names.join(", ")
                )
            })
    }

    /// The template's rules for batches of a queue.
    fn queue_takes(
        &self,
        target: &str,
        fifo: bool,
        setting: Setting,
        new: &SettingValue,
    ) -> Result<(), String> {
        let value = |of: Setting| {
            if of == setting {
                new.number()
            } else {
                self.number(target, of)
            }
        };
        let size = value(Setting::BatchSize).unwrap_or_default();
        let window = value(Setting::BatchingWindow).unwrap_or_default();
        if fifo && size > ONE_RECEIVE {
            return Err(format!(
                "{target}: a FIFO queue gives at most 10 messages to a batch, not {size}."
            ));
        }
        if fifo && window > 0 {
            return Err(format!(
                "{target}: batches of a FIFO queue are not gathered over time."
            ));
        }
        if size > ONE_RECEIVE && window == 0 {
            let first = if setting == Setting::BatchSize {
                "Set batching-window first, to 1 or more"
            } else {
                "Set batch-size first, to 10 or less"
            };
            return Err(format!(
                "{target}: a batch of more than 10 messages needs time to gather. {first}."
            ));
        }
        Ok(())
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

    /// The settings in force of a mapping.
    pub fn for_source(&self, mapping: &str) -> Option<SourceSettings> {
        let (function, own) = self.sources.get(mapping)?;
        let concurrency = self.max_invocations(function);
        let partitions = self.partitions.get(mapping);
        Some(SourceSettings {
            batch_size: self.number(mapping, Setting::BatchSize)? as usize,
            window: match self.number(mapping, Setting::BatchingWindow)? {
                0 if partitions.is_some() => self.gathers,
                seconds => Duration::from_secs(seconds.into()),
            },
            concurrency: own.map_or(concurrency, |own| own.min(concurrency)) as usize,
            paused: self.value(mapping, Setting::Paused) == Some(&SettingValue::Flag(true)),
            paused_partitions: partitions.map_or_else(BTreeSet::new, |(_, paused)| paused.clone()),
        })
    }

    /// Logical ids of all mappings.
    pub fn mappings(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
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
