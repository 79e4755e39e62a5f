//! Reports the observations of the driver to the status.

use std::sync::Arc;

use event_sources::health::SourceProblem;
use event_sources::redis_stream::{EntryKey, RedisStreamBatchResult};
use redis_streams::{GroupState, LinkError};

use super::{RedisStreamDriver, id};

/// Errors of Redis that an operator must repair, each with the remedy.
const REMEDIES: [(&str, &str); 3] = [
    (
        "WRONGTYPE",
        "The key holds another type: name the key of a stream, or remove it",
    ),
    (
        "NOPERM",
        "The user may not run this command: extend its ACL",
    ),
    // NOPERM within a script
    (
        "THE USER EXECUTING THE SCRIPT",
        "The user may not run a command of this script: extend its ACL",
    ),
];

impl RedisStreamDriver {
    /// Stores the progress of the group. Reads report a failure of Redis.
    pub(super) fn state_received(&self, state: Result<GroupState, LinkError>) {
        match state {
            Ok(state) => self.group_received(&state),
            Err(why) => {
                tracing::debug!(mapping = %self.source.mapping.id, "the progress of the group is \
                     not available: {why}");
            }
        }
    }

    pub(super) fn group_received(&self, state: &GroupState) {
        let removed = self.progress.set_group(state);
        if removed > 0 {
            let mapping = &self.source.mapping;
            tracing::error!(
                alarm = "stream_entries_lost",
                mapping = %mapping.id,
                stream = %mapping.stream,
                group = %mapping.group,
                removed,
                "entries were removed from the stream before the group received them: they are lost"
            );
        }
    }

    /// The state of the source after a failed request.
    pub(super) fn problem(&self, why: &LinkError) -> SourceProblem {
        let stream = &self.source.mapping.stream;
        let server = &self.source.server;
        // the client writes some codes in capitals, others as NoPerm
        let text = why.to_string().to_uppercase();
        let remedy = REMEDIES.iter().find(|(code, _)| text.contains(code));
        match (why, remedy) {
            // Its text names the setting.
            (LinkError::Refused(_), _) => {
                SourceProblem::stuck(format!("the stream {stream} cannot be read: {why}"))
            }
            (LinkError::Unavailable(_), None) => SourceProblem::away(format!(
                "the stream {stream} at {server} cannot be read: {why}. It is retried until it can"
            )),
            (_, remedy) => {
                let remedy = remedy.map_or("It is retried until it can", |(_, remedy)| remedy);
                SourceProblem::stuck(format!(
                    "the stream {stream} at {server} cannot be read: {why}. {remedy}"
                ))
            }
        }
    }

    /// Reports entries of which this consumer moved some to the dead-letter stream.
    pub(super) fn report_parked(&self, keys: &[EntryKey], parked: &[bool]) {
        let mapping = &self.source.mapping;
        let dead_stream = mapping.dead_stream();
        for (key, _) in keys.iter().zip(parked).filter(|(_, parked)| **parked) {
            self.progress.count(|status| status.parked += 1);
            tracing::error!(
                alarm = "stream_entry_parked",
                mapping = %mapping.id,
                stream = %mapping.stream,
                id = %id(*key),
                "an entry is a dead letter in {dead_stream}: usher parked show {dead_stream}"
            );
        }
    }

    /// Reports the result of an invocation.
    pub(super) fn report_result(
        &mut self,
        batch: &[EntryKey],
        result: &RedisStreamBatchResult,
        error: Option<String>,
    ) {
        let error: Arc<str> = error
            .unwrap_or_else(|| "its answer reports entries as failed, or cannot be read".to_owned())
            .into();
        let failed: &[EntryKey] = match result {
            RedisStreamBatchResult::Answered(failed) => failed,
            RedisStreamBatchResult::Failed => batch,
            RedisStreamBatchResult::NotInvoked => &[],
        };
        self.progress
            .count(|status| status.failed += failed.len() as u64);
        for key in failed {
            if let Some(held) = self.held.get_mut(key) {
                held.error = Some(error.clone());
            }
        }
        self.progress.observe(|watch, now| match result {
            RedisStreamBatchResult::Answered(failed) => {
                if failed.len() < batch.len() || failed.is_empty() {
                    watch.succeeded(now);
                    watch.progressed(now);
                }
                if !failed.is_empty() {
                    watch.failed(now, &error);
                }
            }
            RedisStreamBatchResult::Failed => watch.failed(now, &error),
            RedisStreamBatchResult::NotInvoked => {
                watch.refused(format!("the function does not begin: {error}"));
            }
        });
    }
}
