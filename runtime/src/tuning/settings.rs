//! The settings in force, and what became of each wish.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::{HOST, Knob, SourceSettings, Subject, Value, Wish, partitions};
use crate::observation::Recent;
use event_sources::stream::Partition;
use sam_template::document::nearest;
use sam_template::model::Application;

/// Changes remembered.
const REMEMBERED: usize = 50;

/// Messages that one receive of SQS yields at most, and with it a batch that does not gather.
const ONE_RECEIVE: u32 = 10;

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// Who asked for it.
    pub who: String,
    /// Of what.
    pub target: String,
    /// Which setting.
    pub setting: Knob,
    /// What it was.
    pub old: Value,
    /// What it is.
    pub new: Value,
}

/// A setting in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Of what.
    pub target: String,
    /// What that is.
    pub subject: Subject,
    /// Which setting.
    pub setting: Knob,
    /// What it is.
    pub value: Value,
    /// What the host started with.
    pub initial: Value,
}

#[derive(Debug, Clone)]
struct Held {
    initial: Value,
    value: Value,
}

/// Everything that can be set, with its value.
#[derive(Debug, Clone)]
pub struct Settings {
    subjects: BTreeMap<String, Subject>,
    values: BTreeMap<(String, Knob), Held>,
    /// Function of each mapping, and what else limits its invocations.
    sources: BTreeMap<String, (String, Option<u32>)>,
    /// Topics of each Kafka mapping, and which of their partitions are left alone.
    partitions: BTreeMap<String, (Vec<String>, BTreeSet<Partition>)>,
    changes: Recent<Change>,
    /// How long a Kafka mapping gathers where no window is set.
    gathers: Duration,
}

impl Settings {
    /// As the application has them. `concurrency`: instances of a function that reserves no number; `log`: what is logged now;
    /// `gathers`: how long a Kafka mapping gathers where no window is set.
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
            changes: Recent::new(REMEMBERED),
            gathers,
        };
        for mapping in app.kafka.iter().filter(|mapping| mapping.enabled) {
            let values = (mapping.batch_size, mapping.batching_window.as_secs() as u32);
            settings.source(
                &mapping.id,
                Subject::Kafka,
                values,
                (&mapping.function, None),
            );
            settings.partitions.insert(
                mapping.id.clone(),
                (mapping.topics.clone(), BTreeSet::new()),
            );
            let none = partitions::written(&BTreeSet::new(), &mapping.topics);
            settings.hold(
                &mapping.id,
                Subject::Kafka,
                Knob::PausedPartitions,
                Value::Text(none),
            );
        }
        for mapping in app.sqs.iter().filter(|mapping| mapping.enabled) {
            let values = (mapping.batch_size, mapping.batching_window.as_secs() as u32);
            let subject = Subject::Queue {
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
            let most = function.concurrency.unwrap_or(concurrency as u32);
            settings.hold(
                &function.id,
                Subject::Function,
                Knob::Concurrency,
                Value::Number(most),
            );
        }
        settings.hold(HOST, Subject::Host, Knob::Log, Value::Text(log.to_owned()));
        settings
    }

    fn source(
        &mut self,
        id: &str,
        subject: Subject,
        (size, window): (u32, u32),
        function: (&str, Option<u32>),
    ) {
        self.hold(id, subject, Knob::BatchSize, Value::Number(size));
        self.hold(id, subject, Knob::BatchingWindow, Value::Number(window));
        self.hold(id, subject, Knob::Paused, Value::Flag(false));
        self.sources
            .insert(id.to_owned(), (function.0.to_owned(), function.1));
    }

    fn hold(&mut self, target: &str, subject: Subject, knob: Knob, value: Value) {
        self.subjects.insert(target.to_owned(), subject);
        self.values.insert(
            (target.to_owned(), knob),
            Held {
                initial: value.clone(),
                value,
            },
        );
    }

    /// Checks a wish and fulfils it. `None`: it is so already.
    ///
    /// # Errors
    /// Why nothing changed, and what to write instead.
    pub fn change(&mut self, at_ms: u64, who: &str, wish: &Wish) -> Result<Option<Change>, String> {
        let (subject, knob) = self.find(wish)?;
        let refused = |why: String| format!("{} of {} {why}.", knob.name(), wish.target);
        let mut new = knob.read(&wish.value).map_err(refused)?;
        let paused = self
            .partitions
            .get(&wish.target)
            .filter(|_| knob == Knob::PausedPartitions);
        let paused = paused.map(|(topics, now)| {
            let paused = partitions::read(&wish.value, now, topics).map_err(refused)?;
            Ok::<_, String>((partitions::written(&paused, topics), paused))
        });
        let paused = paused.transpose()?.map(|(written, paused)| {
            new = Value::Text(written);
            paused
        });
        if let Subject::Queue { fifo } = subject {
            self.queue_takes(&wish.target, fifo, knob, &new)?;
        }
        let Some(held) = self.values.get_mut(&(wish.target.clone(), knob)) else {
            return Ok(None);
        };
        if held.value == new {
            return Ok(None);
        }
        let old = std::mem::replace(&mut held.value, new.clone());
        if let Some(((_, now), paused)) = self.partitions.get_mut(&wish.target).zip(paused) {
            *now = paused;
        }
        let change = Change {
            at_ms,
            who: who.to_owned(),
            target: wish.target.clone(),
            setting: knob,
            old,
            new,
        };
        self.changes.push(change.clone());
        Ok(Some(change))
    }

    fn find(&self, wish: &Wish) -> Result<(Subject, Knob), String> {
        let Some(subject) = self.subjects.get(&wish.target).copied() else {
            let names = || self.subjects.keys().map(String::as_str);
            let hint = nearest(&wish.target, names())
                .map(|near| format!(" Did you mean {near}?"))
                .unwrap_or_default();
            let all: Vec<&str> = names().collect();
            return Err(format!(
                "there is nothing called {} to set.{hint} There is: {}.",
                wish.target,
                all.join(", ")
            ));
        };
        let known = Knob::of(subject);
        let knob = Knob::named(&wish.setting).filter(|knob| known.contains(knob));
        let names: Vec<&str> = known.iter().map(|knob| knob.name()).collect();
        let knob = knob.ok_or_else(|| {
            format!(
                "{} has no setting {}. It has: {}.",
                wish.target,
                wish.setting,
                names.join(", ")
            )
        })?;
        Ok((subject, knob))
    }

    /// The template's rules for batches of a queue.
    fn queue_takes(&self, target: &str, fifo: bool, knob: Knob, new: &Value) -> Result<(), String> {
        let value = |wanted: Knob| {
            if wanted == knob {
                new.number()
            } else {
                self.number(target, wanted)
            }
        };
        let size = value(Knob::BatchSize).unwrap_or_default();
        let window = value(Knob::BatchingWindow).unwrap_or_default();
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
            let first = if knob == Knob::BatchSize {
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

    fn number(&self, target: &str, knob: Knob) -> Option<u32> {
        self.values.get(&(target.to_owned(), knob))?.value.number()
    }

    /// What a mapping is to be told now.
    pub fn for_source(&self, mapping: &str) -> Option<SourceSettings> {
        let (function, own) = self.sources.get(mapping)?;
        let concurrency = self.number(function, Knob::Concurrency).unwrap_or(0);
        Some(SourceSettings {
            batch_size: self.number(mapping, Knob::BatchSize)? as usize,
            window: match self.number(mapping, Knob::BatchingWindow)? {
                0 if self.subjects.get(mapping) == Some(&Subject::Kafka) => self.gathers,
                seconds => Duration::from_secs(seconds.into()),
            },
            concurrency: own.map_or(concurrency, |own| own.min(concurrency)) as usize,
            paused: self
                .values
                .get(&(mapping.to_owned(), Knob::Paused))
                .is_some_and(|held| held.value.is_on()),
            paused_partitions: self
                .partitions
                .get(mapping)
                .map(|(_, paused)| paused.clone())
                .unwrap_or_default(),
        })
    }

    /// Mappings that are there.
    pub fn mappings(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// What a target's setting was when the host started, as a wish.
    pub fn initial(&self, target: &str, setting: &str) -> Option<Wish> {
        let held = self
            .values
            .get(&(target.to_owned(), Knob::named(setting)?))?;
        Some(Wish {
            target: target.to_owned(),
            setting: setting.to_owned(),
            value: held.initial.to_string(),
        })
    }

    /// Everything in force.
    pub fn shown(&self) -> Vec<Shown> {
        let one = |((target, knob), held): (&(String, Knob), &Held)| {
            let value = held.value.clone();
            let initial = held.initial.clone();
            Some(Shown {
                target: target.clone(),
                subject: *self.subjects.get(target)?,
                setting: *knob,
                value,
                initial,
            })
        };
        self.values.iter().filter_map(one).collect()
    }

    /// What was changed, newest first.
    pub fn changes(&self) -> Vec<Change> {
        self.changes.newest().cloned().collect()
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
