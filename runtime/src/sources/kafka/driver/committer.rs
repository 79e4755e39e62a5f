//! A thread that commits, one request after the other.
//!
//! librdkafka sends a commit again when its connection fails, and keeps it while the coordinator is
//! unavailable. A later commit may be stored before it, and the group would go back to the earlier
//! offset when it is stored at last. So a commit is sent only after the one before it was answered.

use std::io;
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Weak};

use event_sources::stream::{Offset, Partition};
use rdkafka::error::KafkaResult;
use tokio::sync::mpsc;

use crate::sources::kafka::consumer::{MappingConsumer, commit};
use crate::sources::kafka::moves::PositionMove;

/// Why offsets are committed.
#[derive(Debug)]
pub(super) enum CommitReason {
    /// Records are done.
    Progress,
    /// An operator moved the partition.
    Move(PositionMove),
    /// Partitions are being revoked; the polling thread waits for the end of the commit.
    Revocation(std_mpsc::Sender<()>),
    /// The run ends.
    End,
}

/// Offsets to commit.
#[derive(Debug)]
pub(super) struct CommitRequest {
    pub(super) offsets: Vec<(Partition, Offset)>,
    pub(super) reason: CommitReason,
}

/// A commit that was answered.
pub(super) struct AnsweredCommit {
    pub(super) request: CommitRequest,
    pub(super) result: KafkaResult<()>,
}

/// A thread that commits in the order of the requests.
pub(super) struct Committer {
    requests: std_mpsc::Sender<CommitRequest>,
    answers: mpsc::UnboundedReceiver<AnsweredCommit>,
    unanswered: usize,
}

impl Committer {
    /// Starts the thread, which ends when this value is dropped.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(
        mapping: &str,
        topics: Vec<String>,
        consumer: &Arc<MappingConsumer>,
    ) -> io::Result<Self> {
        let (requests, received) = std_mpsc::channel::<CommitRequest>();
        let (answer, answers) = mpsc::unbounded_channel();
        // weak: the end of the run closes the consumer
        let consumer: Weak<MappingConsumer> = Arc::downgrade(consumer);
        std::thread::Builder::new()
            .name(format!("commit {mapping}"))
            .spawn(move || {
                while let Ok(request) = received.recv() {
                    let Some(consumer) = consumer.upgrade() else {
                        return;
                    };
                    // librdkafka refuses a commit of nothing
                    let result = if request.offsets.is_empty() {
                        Ok(())
                    } else {
                        commit(&consumer, &topics, &request.offsets)
                    };
                    drop(consumer);
                    if answer.send(AnsweredCommit { request, result }).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            requests,
            answers,
            unanswered: 0,
        })
    }

    /// Whether a commit is unanswered.
    pub(super) fn is_busy(&self) -> bool {
        self.unanswered > 0
    }

    pub(super) fn send(&mut self, offsets: Vec<(Partition, Offset)>, reason: CommitReason) {
        // fails only after a panic of the thread, which ends the run
        if self
            .requests
            .send(CommitRequest { offsets, reason })
            .is_ok()
        {
            self.unanswered += 1;
        }
    }

    /// Waits for the next answer. `None`: the thread has ended. Cancel-safe.
    pub(super) async fn answered(&mut self) -> Option<AnsweredCommit> {
        let answer = self.answers.recv().await?;
        self.unanswered -= 1;
        Some(answer)
    }
}

#[cfg(test)]
#[path = "committer_tests.rs"]
mod tests;
