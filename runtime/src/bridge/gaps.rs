//! Offsets that the bridge passes without a record. Transaction markers and compacted records need nothing; records that were deleted before
//! they were read need an alarm, and so does a log that begins again.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::message::{Message as _, OwnedMessage};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::kafka::Quiet;

/// How long the brokers may take to say where the group and the log stand.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the offset of a record says of the offsets before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passed {
    /// Nothing was lost.
    Nothing,
    /// These offsets were deleted before they were read.
    Deleted { first: i64, last: i64 },
    /// The log is shorter than what was read of it: it was cut, or the topic was deleted and created again.
    BeginsAgain,
}

/// `next`: the offset behind the last one that the group read. `start`: the first offset of the log.
fn passed(next: i64, found: i64, start: i64) -> Passed {
    if found < next {
        return Passed::BeginsAgain;
    }
    let last = start.min(found) - 1;
    if last < next {
        Passed::Nothing
    } else {
        Passed::Deleted { first: next, last }
    }
}

/// Next offset of each partition that this bridge has read.
#[derive(Debug, Default)]
pub(super) struct Gaps(BTreeMap<i32, i64>);

impl Gaps {
    /// Looks at a record that was just read, before its offset is committed. Offsets that follow each other cost nothing; a gap costs two
    /// requests to the brokers: the group's offset, which another bridge may have moved meanwhile, and the start of the log.
    pub(super) fn look(&mut self, consumer: &BaseConsumer<Quiet>, record: &OwnedMessage) {
        let topic = record.topic();
        let partition = record.partition();
        let found = record.offset();
        let next = self.0.insert(partition, found + 1);
        if next == Some(found) {
            return;
        }
        match look_up(consumer, topic, partition) {
            Ok((committed, start)) => {
                let Some(next) = next.max(committed) else {
                    return;
                };
                report(topic, partition, next, passed(next, found, start));
            }
            Err(error) => tracing::warn!(
                topic,
                partition,
                offset = found,
                %error,
                "whether records before this offset were deleted unread is not known: the brokers do not say where the log begins"
            ),
        }
    }
}

/// The group's committed offset, if it has one, and the first offset of the log.
fn look_up(
    consumer: &BaseConsumer<Quiet>,
    topic: &str,
    partition: i32,
) -> KafkaResult<(Option<i64>, i64)> {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    let committed = consumer.committed_offsets(list, PATIENCE)?;
    let committed = match committed
        .find_partition(topic, partition)
        .map(|found| found.offset())
    {
        Some(Offset::Offset(offset)) => Some(offset),
        _ => None,
    };
    Ok((
        committed,
        consumer.fetch_watermarks(topic, partition, PATIENCE)?.0,
    ))
}

fn report(topic: &str, partition: i32, next: i64, passed: Passed) {
    match passed {
        Passed::Nothing => {}
        Passed::Deleted { first, last } => tracing::error!(
            alarm = "offsets_deleted_unread",
            topic,
            partition,
            first,
            last,
            "offsets {first} to {last} of {topic}-{partition} were deleted before the bridge read them, and are not copied. Keep records \
             for longer than the bridge may be away (retention.ms of the topic)"
        ),
        Passed::BeginsAgain => tracing::error!(
            alarm = "log_replaced",
            topic,
            partition,
            next,
            "the log of {topic}-{partition} ends before offset {next}, up to which the bridge had read: the topic was created again, or \
             its log was cut. It is copied from its start"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_deleted_offsets_count_as_lost() {
        assert_eq!(passed(10, 10, 0), Passed::Nothing);
        // markers and compacted records
        assert_eq!(passed(10, 15, 3), Passed::Nothing);
        assert_eq!(
            passed(10, 15, 15),
            Passed::Deleted {
                first: 10,
                last: 14
            }
        );
        // the log began at 12; 12 to 14 were markers
        assert_eq!(
            passed(10, 15, 12),
            Passed::Deleted {
                first: 10,
                last: 11
            }
        );
        // records behind the one that was read are deleted by now
        assert_eq!(
            passed(10, 15, 20),
            Passed::Deleted {
                first: 10,
                last: 14
            }
        );
        assert_eq!(passed(10, 3, 0), Passed::BeginsAgain);
    }
}
