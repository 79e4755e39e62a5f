//! What a run commits, and when.

use std::sync::atomic::Ordering;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use event_sources::stream::{Offset, Partition, StreamInput};
use rdkafka::consumer::Consumer as _;

use super::KafkaDriver;
use super::committer::{AnsweredCommit, CommitReason};
use crate::sources::kafka::moves::PositionMove;

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
