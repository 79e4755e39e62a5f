//! Executes the actions of the machine, each in a task of its own.

use std::time::Duration;

use event_sources::redis_stream::{EntryKey, ParkReason, RedisStreamAction};

use super::{HeldContent, RedisStreamDriver, TaskResult, id};
use crate::sources::mapping::function_ready;
use crate::sources::redis_streams::source::RedisStreamRuns;
use crate::waiting::turned;

impl RedisStreamDriver {
    pub(super) fn execute(&mut self, action: RedisStreamAction) {
        match action {
            RedisStreamAction::Read { max, wait } => self.read(max, wait),
            RedisStreamAction::Invoke(id, entries) => self.invoke(id, &entries),
            RedisStreamAction::Hold(entries) => self.hold_entries(true, entries),
            RedisStreamAction::Count(entries) => self.hold_entries(false, entries),
            RedisStreamAction::Acknowledge(keys) => {
                let group = self.group.clone();
                self.tasks.spawn(async move {
                    let ids: Vec<_> = keys.iter().copied().map(id).collect();
                    let acknowledged = group.ack(&ids).await;
                    TaskResult::Acknowledged(keys, acknowledged)
                });
            }
            RedisStreamAction::Park(entries) => {
                let entries = entries
                    .into_iter()
                    .map(|(key, reason)| (id(key), self.reason(key, reason)));
                let entries: Vec<_> = entries.collect();
                let group = self.group.clone();
                self.tasks.spawn(async move {
                    let parked = group.park(&entries).await;
                    let keys = entries.iter().map(|(id, _)| super::key(*id)).collect();
                    TaskResult::Parked(keys, parked)
                });
            }
        }
    }

    /// Reads once the function can begin soon.
    fn read(&mut self, max: usize, wait: Duration) {
        let Some(mut consumer) = self.consumer.take() else {
            return;
        };
        let source = self.source.clone();
        let mut stopping = self.stopping.clone();
        let mut paused = self.paused.subscribe();
        self.tasks.spawn(async move {
            tokio::select! {
                () = ready(&source) => {}
                () = turned(&mut stopping) => return TaskResult::NotRead(consumer),
                () = turned(&mut paused) => return TaskResult::NotRead(consumer),
            }
            let read = consumer.read(max, wait).await;
            TaskResult::Read(consumer, read)
        });
    }

    fn hold_entries(&mut self, all: bool, entries: Vec<(EntryKey, u32)>) {
        let group = self.group.clone();
        self.tasks.spawn(async move {
            let counts: Vec<_> = entries
                .iter()
                .map(|(key, attempt)| (id(*key), *attempt))
                .collect();
            let held = group.hold_counted(&counts).await;
            let keys = entries.into_iter().map(|(key, _)| key).collect();
            TaskResult::Held { all, keys, held }
        });
    }

    /// Why an entry is parked, for its dead letter.
    fn reason(&self, key: EntryKey, reason: ParkReason) -> String {
        let held = self.held.get(&key);
        match reason {
            ParkReason::RetriesExhausted(attempts) => {
                let error = held.and_then(|held| held.error.as_deref());
                let error = error.unwrap_or("no reason given");
                format!("failed in {attempts} attempts: {error}")
            }
            ParkReason::TooOld => {
                let age = self.source.mapping.max_age.unwrap_or_default();
                format!("older than {} s", age.as_secs())
            }
            ParkReason::Unreadable => match held.map(|held| &held.content) {
                Some(HeldContent::Unreadable(why)) => why.clone(),
                _ => "no record can represent it".to_owned(),
            },
        }
    }
}

/// Waits until the function can begin soon. The status names the reason of a wait.
async fn ready(source: &RedisStreamRuns) {
    let function = &source.mapping.function;
    let report = |why| source.progress.observe(|watch, _| watch.blocked(why));
    function_ready(&source.invoker, function, "no entry is read", report).await;
}
