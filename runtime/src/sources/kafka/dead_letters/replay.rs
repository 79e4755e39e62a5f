//! A replay of the dead letters of one topic.

use std::collections::BTreeSet;

use rdkafka::message::{Message as _, OwnedMessage};

use super::progress::{MAX_STAYING, PartitionProgress};
use super::records::{WriteError, write};
use super::topic::{DeadTopic, TopicError, id};
use crate::parked::ReplaySummary;
use crate::sources::kafka::reader::ReadError;

/// Why a dead letter stays.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotReplayed {
    #[error("no mapping that fails to here reads topic {0}")]
    NotRead(String),
    #[error("it may come from {}", .0.join(" or "))]
    Ambiguous(Vec<String>),
    #[error(
        "it was too large for this topic, and {topic} {partition} offset {offset} was deleted \
         meanwhile; it cannot be replayed"
    )]
    Deleted {
        topic: String,
        partition: i32,
        offset: i64,
    },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("it was not sent")]
    NotSent,
}

/// The replay.
pub(super) struct TopicReplay<'a> {
    dead: &'a DeadTopic,
    /// Dead letters that may still be tried.
    left: usize,
    summary: ReplaySummary,
}

impl<'a> TopicReplay<'a> {
    pub(super) fn new(dead: &'a DeadTopic, limit: usize) -> Self {
        Self {
            dead,
            left: limit,
            summary: ReplaySummary::default(),
        }
    }

    pub(super) fn run(mut self) -> Result<ReplaySummary, TopicError> {
        for part in self.dead.partitions()? {
            self.partition(part)?;
        }
        Ok(self.summary)
    }

    fn partition(&mut self, mut part: PartitionProgress) -> Result<(), TopicError> {
        let again: BTreeSet<i64> = part.stayed.iter().take(self.left).copied().collect();
        part.stayed = &part.stayed - &again;
        let messages = self.dead.stayed(part.partition, again.iter())?;
        self.left -= messages.len();
        if !again.is_empty() {
            self.batch(&mut part, &messages)?;
        }
        while part.first < part.end && self.left > 0 {
            if part.remaining() == 0 {
                self.summary.stayed.push(format!(
                    "partition {}: {MAX_STAYING} dead letters stay there; no further ones are \
                     tried before some of them are replayed",
                    part.partition
                ));
                break;
            }
            let limit = self.left.min(part.remaining());
            let messages = self.dead.untried(&part, limit)?;
            // the rest of the log holds no record
            let Some(last) = messages.last().map(rdkafka::message::Message::offset) else {
                break;
            };
            self.left -= messages.len();
            part.first = last + 1;
            self.batch(&mut part, &messages)?;
        }
        Ok(())
    }

    /// Writes the records of these dead letters to their source topics and commits which ones stay.
    fn batch(
        &mut self,
        part: &mut PartitionProgress,
        messages: &[OwnedMessage],
    ) -> Result<(), TopicError> {
        let mut outgoing = Vec::new();
        let found: Vec<Result<(), NotReplayed>> = messages
            .iter()
            .map(|message| {
                self.dead
                    .record(message)
                    .map(|record| outgoing.push(record))
            })
            .collect();
        let mut written = write(self.dead.mapping(), outgoing)?.into_iter();
        for (found, message) in found.into_iter().zip(messages) {
            let replayed = found.and_then(|()| {
                let written = written.next().ok_or(NotReplayed::NotSent)?;
                Ok(written?)
            });
            match replayed {
                Ok(()) => {
                    self.summary.dead_letters += 1;
                    self.summary.records += 1;
                }
                Err(why) => {
                    self.summary.stayed.push(format!("{}: {why}", id(message)));
                    part.stayed.insert(message.offset());
                }
            }
        }
        self.dead.commit(part).map_err(TopicError::NotCommitted)
    }
}
