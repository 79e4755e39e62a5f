//! Where a group starts that has committed nothing yet.
//!
//! The start is committed at the first assignment, for every partition of the topic at once. From then on a partition
//! without a committed offset is one that was added later, and starts at its beginning: left to librdkafka, `latest`
//! would skip what was written to it before this host heard of it.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use crate::model::StartingPosition;

/// Each question to the broker waits this long at most, and is asked that often at most: short, because a host that is told to end
/// meanwhile waits for it.
const PATIENCE: Duration = Duration::from_secs(2);
const QUESTIONS: usize = 5;

/// Asks until there is an answer, or `leaves` says that none is wanted any more.
fn answered<T>(leaves: &dyn Fn() -> bool, ask: impl Fn() -> KafkaResult<T>) -> KafkaResult<T> {
    for _ in 1..QUESTIONS {
        match ask() {
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut) && !leaves() => {}
            answer => return answer,
        }
    }
    ask()
}

/// Sets the offset of every partition in `assigned` that has none committed, and commits it.
pub(super) fn settle<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    start: StartingPosition,
    assigned: &mut TopicPartitionList,
    leaves: &dyn Fn() -> bool,
) -> KafkaResult<()> {
    let topics: BTreeSet<String> = assigned.elements().iter().map(|e| e.topic().to_owned()).collect();
    for topic in topics {
        let mut all = TopicPartitionList::new();
        let metadata = answered(leaves, || consumer.fetch_metadata(Some(&topic), PATIENCE))?;
        for partition in metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions) {
            all.add_partition(&topic, partition.id());
        }
        let committed = answered(leaves, || consumer.committed_offsets(all.clone(), PATIENCE))?;
        let missing: Vec<i32> = committed
            .elements()
            .iter()
            .filter(|e| !matches!(e.offset(), Offset::Offset(_)))
            .map(rdkafka::topic_partition_list::TopicPartitionListElem::partition)
            .collect();
        if missing.is_empty() {
            continue;
        }
        let first_time = missing.len() == committed.count();
        let position = if first_time { start } else { StartingPosition::TrimHorizon };
        let starts = starts(consumer, &topic, &missing, position, leaves)?;
        consumer.commit(&starts, CommitMode::Sync)?;
        for start in starts.elements() {
            if let Some(mut element) = assigned.find_partition(&topic, start.partition()) {
                element.set_offset(start.offset())?;
            }
        }
    }
    Ok(())
}

fn starts<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    position: StartingPosition,
    leaves: &dyn Fn() -> bool,
) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    if let StartingPosition::AtTimestamp(at) = position {
        for partition in partitions {
            list.add_partition_offset(topic, *partition, Offset::Offset(at))?;
        }
        list = answered(leaves, || consumer.offsets_for_times(list.clone(), PATIENCE))?;
    }
    let mut starts = TopicPartitionList::new();
    for partition in partitions {
        let by_time = list.find_partition(topic, *partition).map(|e| e.offset());
        let offset = if let Some(Offset::Offset(offset)) = by_time {
            offset
        } else {
            let (low, high) = answered(leaves, || consumer.fetch_watermarks(topic, *partition, PATIENCE))?;
            if position == StartingPosition::TrimHorizon { low } else { high }
        };
        starts.add_partition_offset(topic, *partition, Offset::Offset(offset))?;
    }
    Ok(starts)
}
