//! Commits of a run, one after the other.
//!
//! librdkafka sends a commit again when its connection fails, and keeps it while the coordinator is
//! unavailable. A later commit may be stored before it, and the group would go back to the earlier
//! offset when it is stored at last. So a commit is sent only after the one before it was answered.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use event_sources::stream::{Offset, Partition, StreamInput};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaResult;
use tokio::sync::mpsc;

use super::KafkaDriver;
use crate::sources::kafka::consumer::{MappingConsumer, commit};
use crate::sources::kafka::moves::PositionMove;

/// Why offsets are committed.
#[derive(Debug)]
enum CommitReason {
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
struct CommitRequest {
    offsets: Vec<(Partition, Offset)>,
    reason: CommitReason,
}

/// A commit that was answered.
pub(super) struct AnsweredCommit {
    request: CommitRequest,
    result: KafkaResult<()>,
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
    fn is_busy(&self) -> bool {
        self.unanswered > 0
    }

    fn send(&mut self, offsets: Vec<(Partition, Offset)>, reason: CommitReason) {
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

impl KafkaDriver {
    /// Commits the progress of partitions, unless the brokers are away or an earlier commit is
    /// unanswered: the machine then requests it again after its interval.
    pub(super) fn commit_progress(&mut self, offsets: Vec<(Partition, Offset)>) {
        // librdkafka would send the commit after an outage, when the membership may have ended
        let away = self.progress.away.load(Ordering::Relaxed);
        if away || self.committer.is_busy() {
            return self.uncommitted(&offsets);
        }
        self.committer.send(offsets, CommitReason::Progress);
    }

    /// Commits offsets to which an operator moves partitions, and then responds.
    pub(super) fn commit_move(
        &mut self,
        offsets: Vec<(Partition, Offset)>,
        requested: PositionMove,
    ) {
        self.committer.send(offsets, CommitReason::Move(requested));
    }

    /// Commits what is done of partitions that are being revoked. `ended` is used or dropped after
    /// all commits that contain them were answered.
    pub(super) fn commit_revoked(&mut self, partitions: &[Partition], ended: std_mpsc::Sender<()>) {
        if self.committer.is_busy() {
            // the unanswered commit may fail
            self.step(StreamInput::CommitFailed(partitions));
        }
        let done = self.step_for_commit(StreamInput::Revoked(partitions));
        self.committer.send(done, CommitReason::Revocation(ended));
    }

    /// Handles the answer to a commit.
    pub(super) fn committed(&mut self, answered: AnsweredCommit) {
        let AnsweredCommit { request, result } = answered;
        let mapping = &self.source.mapping.id;
        match request.reason {
            CommitReason::Move(requested) => self.moved(requested, result),
            CommitReason::Revocation(ended) => {
                if let Err(error) = result {
                    tracing::warn!(
                        mapping,
                        %error,
                        "revoked partitions cannot be committed; their last records are read again"
                    );
                }
                let _ = ended.send(());
            }
            CommitReason::End => {
                if let Err(error) = result {
                    tracing::warn!(
                        mapping,
                        %error,
                        "the last commit failed; its records are read again"
                    );
                }
            }
            CommitReason::Progress => {
                if let Err(error) = result {
                    tracing::debug!(mapping, %error, "a commit failed and is repeated");
                    self.uncommitted(&request.offsets);
                }
            }
        }
    }

    /// Commits what is done at the end of the run. Waits `patience` at most.
    pub(super) async fn commit_last(&mut self, patience: Duration) {
        // a consumer with a fatal error cannot commit; its records are read again
        if self.consumer.client().fatal_error().is_some() {
            return;
        }
        if self.committer.is_busy() {
            // the unanswered commit may fail
            let partitions: Vec<Partition> = (self.machine.overview())
                .map(|holding| holding.partition)
                .collect();
            self.step(StreamInput::CommitFailed(&partitions));
        }
        let done = self.step_for_commit(StreamInput::Flush);
        if !done.is_empty() {
            self.committer.send(done, CommitReason::End);
        }
        let deadline = tokio::time::Instant::now() + patience;
        while self.committer.is_busy() {
            match tokio::time::timeout_at(deadline, self.committer.answered()).await {
                Ok(Some(answered)) => self.committed(answered),
                Ok(None) => return,
                Err(_) => {
                    tracing::warn!(
                        mapping = self.source.mapping.id,
                        "the last commit was not answered within {} s; its records may be read \
                         again",
                        patience.as_secs()
                    );
                    return;
                }
            }
        }
    }

    /// Marks partitions as not committed.
    fn uncommitted(&mut self, offsets: &[(Partition, Offset)]) {
        let partitions: Vec<Partition> = offsets.iter().map(|(partition, _)| *partition).collect();
        self.step(StreamInput::CommitFailed(&partitions));
    }
}

#[cfg(test)]
#[path = "commits_tests.rs"]
mod tests;
