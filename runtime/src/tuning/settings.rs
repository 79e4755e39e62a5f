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

#[derive(Debug, Clone)]
struct SettingEntry {
    initial: SettingValue,
    value: SettingValue,
}

/// Every setting with its value.
#[derive(Debug, Clone)]
pub struct TunableSettings {
    subjects: BTreeMap<String, SettingTarget>,
    values: BTreeMap<(String, Setting), SettingEntry>,
    /// Function of each mapping, and the `MaximumConcurrency` of its own.
    sources: BTreeMap<String, (String, Option<u32>)>,
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
        let subjects = BTreeMap::new();
        let values = BTreeMap::new();
        let sources = BTreeMap::new();
        let partitions = BTreeMap::new();
        let mut settings = Self {
            subjects,
            values,
            sources,
            partitions,
            changes: Recent::new(MAX_CHANGES),
            gathers,
        };
        for mapping in app.kafka.iter().filter(|mapping| mapping.enabled) {
            let values = (mapping.batch_size, mapping.batching_window.as_secs() as u32);
            settings.source(
                &mapping.id,
                SettingTarget::Kafka,
                values,
                (&mapping.function, None),
            );
            settings.partitions.insert(
                mapping.id.clone(),
                (mapping.topics.clone(), BTreeSet::new()),
            );
            let none = partitions::format_list(&BTreeSet::new(), &mapping.topics);
            settings.insert(
                &mapping.id,
                SettingTarget::Kafka,
                Setting::PausedPartitions,
                SettingValue::Text(none),
            );
        }
        for mapping in app.sqs.iter().filter(|mapping| mapping.enabled) {
            let values = (mapping.batch_size, mapping.batching_window.as_secs() as u32);
            let subject = SettingTarget::Queue {
                fifo: mapping.fifo(),
            };
            settings.source(
                &mapping.id,
                subject,
                values,
                (&mapping.function, mapping.max_concurrency),
            );
        }
        for function in app
            .functions
            .values()
            .filter(|function| function.concurrency != Some(0))
        {
            let max = function.concurrency.unwrap_or(concurrency as u32);
            settings.insert(
                &function.id,
                SettingTarget::Function,
                Setting::Concurrency,
                SettingValue::Number(max),
            );
        }
        settings.insert(
            HOST,
            SettingTarget::Host,
            Setting::Log,
            SettingValue::Text(log.to_owned()),
        );
        settings
    }

    fn source(
        &mut self,
        id: &str,
        subject: SettingTarget,
        (size, window): (u32, u32),
        function: (&str, Option<u32>),
    ) {
        self.insert(id, subject, Setting::BatchSize, SettingValue::Number(size));
        self.insert(
            id,
            subject,
            Setting::BatchingWindow,
            SettingValue::Number(window),
        );
        self.insert(id, subject, Setting::Paused, SettingValue::Flag(false));
        self.sources
            .insert(id.to_owned(), (function.0.to_owned(), function.1));
    }

    fn insert(
        &mut self,
        target: &str,
        subject: SettingTarget,
        setting: Setting,
        value: SettingValue,
    ) {
        self.subjects.insert(target.to_owned(), subject);
        self.values.insert(
            (target.to_owned(), setting),
            SettingEntry {
                initial: value.clone(),
                value,
            },
        );
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
        let (subject, setting) = self.find(request)?;
        let refused = |why: String| format!("{} of {} {why}.", setting.name(), request.target);
        let mut new = setting.read(&request.value).map_err(refused)?;
        let paused = self
            .partitions
            .get(&request.target)
            .filter(|_| setting == Setting::PausedPartitions);
        let paused = paused.map(|(topics, now)| {
            let paused = partitions::parse_list(&request.value, now, topics).map_err(refused)?;
            Ok::<_, String>((partitions::format_list(&paused, topics), paused))
        });
        let paused = paused.transpose()?.map(|(written, paused)| {
            new = SettingValue::Text(written);
            paused
        });
        if let SettingTarget::Queue { fifo } = subject {
            self.queue_takes(&request.target, fifo, setting, &new)?;
        }
        let Some(entry) = self.values.get_mut(&(request.target.clone(), setting)) else {
            return Ok(None);
        };
        if entry.value == new {
            return Ok(None);
        }
        let old = std::mem::replace(&mut entry.value, new.clone());
        if let Some(((_, now), paused)) = self.partitions.get_mut(&request.target).zip(paused) {
            *now = paused;
        }
        let change = AppliedChange {
            at_ms,
            who: who.to_owned(),
            target: request.target.clone(),
            setting,
            old,
            new,
        };
        self.changes.push(change.clone());
        Ok(Some(change))
    }

    fn find(&self, request: &SettingChange) -> Result<(SettingTarget, Setting), String> {
        let Some(subject) = self.subjects.get(&request.target).copied() else {
            let names = || self.subjects.keys().map(String::as_str);
            let hint = nearest(&request.target, names())
                .map(|near| format!(" Did you mean {near}?"))
                .unwrap_or_default();
            let all: Vec<&str> = names().collect();
            return Err(format!(
                "there is nothing called {} to set.{hint} There is: {}.",
                request.target,
                all.join(", ")
            ));
        };
        let known = Setting::of(subject);
        let setting = Setting::named(&request.setting).filter(|setting| known.contains(setting));
        let names: Vec<&str> = known.iter().map(|setting| setting.name()).collect();
        let setting = setting.ok_or_else(|| {
            format!(
                "{} has no setting {}. It has: {}.",
                request.target,
                request.setting,
                names.join(", ")
            )
        })?;
        Ok((subject, setting))
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

    fn number(&self, target: &str, setting: Setting) -> Option<u32> {
        self.values
            .get(&(target.to_owned(), setting))?
            .value
            .number()
    }

    /// The settings in force of a mapping.
    pub fn for_source(&self, mapping: &str) -> Option<SourceSettings> {
        let (function, own) = self.sources.get(mapping)?;
        let concurrency = self.number(function, Setting::Concurrency).unwrap_or(0);
        Some(SourceSettings {
            batch_size: self.number(mapping, Setting::BatchSize)? as usize,
            window: match self.number(mapping, Setting::BatchingWindow)? {
                0 if self.subjects.get(mapping) == Some(&SettingTarget::Kafka) => self.gathers,
                seconds => Duration::from_secs(seconds.into()),
            },
            concurrency: own.map_or(concurrency, |own| own.min(concurrency)) as usize,
            paused: self
                .values
                .get(&(mapping.to_owned(), Setting::Paused))
                .is_some_and(|entry| entry.value.is_on()),
            paused_partitions: self
                .partitions
                .get(mapping)
                .map(|(_, paused)| paused.clone())
                .unwrap_or_default(),
        })
    }

    /// Logical ids of all mappings.
    pub fn mappings(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// The change that restores the value with which the host started.
    pub fn initial(&self, target: &str, setting: &str) -> Option<SettingChange> {
        let entry = self
            .values
            .get(&(target.to_owned(), Setting::named(setting)?))?;
        Some(SettingChange {
            target: target.to_owned(),
            setting: setting.to_owned(),
            value: entry.initial.to_string(),
        })
    }

    /// All settings in force.
    pub fn views(&self) -> Vec<SettingView> {
        let one = |((target, setting), entry): (&(String, Setting), &SettingEntry)| {
            let value = entry.value.clone();
            let initial = entry.initial.clone();
            Some(SettingView {
                target: target.clone(),
                subject: *self.subjects.get(target)?,
                setting: *setting,
                value,
                initial,
            })
        };
        self.values.iter().filter_map(one).collect()
    }

    /// Applied changes, newest first.
    pub fn changes(&self) -> Vec<AppliedChange> {
        self.changes.newest().cloned().collect()
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
