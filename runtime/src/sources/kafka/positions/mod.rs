//! Positions of a mapping's group in each partition, and the moves that an operator may request.
//!
//! `group_positions` reads them from the brokers; the rules of moves are pure. `direct` executes a
//! move if no host runs.

mod direct;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use sam_template::model::KafkaMapping;
use serde::Serialize;

use super::reader::{
    FIRST_RECORD, PATIENCE, by_partition, consumer, first_record, partitions, watermarks,
};
pub use direct::{seek, skip};

/// Position of a group in one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupPosition {
    /// Topic.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// Committed offset, the next one to read; `None`: never committed.
    pub committed: Option<i64>,
    /// First offset of the log.
    pub start: i64,
    /// The last stable offset: the begin of the first open transaction, else the next offset to be
    /// written.
    pub end: i64,
}

/// The target of a seek.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeekTarget {
    /// The first record of the log.
    Beginning,
    /// After the last record.
    End,
    /// This offset.
    Offset(i64),
    /// The first record at or after this time, milliseconds since 1970.
    Time(i64),
}

impl GroupPosition {
    /// Offsets between the committed one and the end, including transaction markers and aborted
    /// records; [`lag`] excludes those.
    pub fn lag(&self) -> Option<i64> {
        self.committed
            .map(|committed| (self.end - committed.max(self.start)).max(0))
    }

    /// `topic-partition`.
    pub fn name(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }

    /// Checks whether the group may continue at this offset.
    ///
    /// # Errors
    /// The offset is outside of the log, or the group has never read the partition.
    pub fn seek(&self, to: i64) -> Result<i64, String> {
        self.read_before()?;
        if !(self.start..=self.end).contains(&to) {
            return Err(format!(
                "{} has the offsets {} to {}, not {to}",
                self.name(),
                self.start,
                self.end
            ));
        }
        Ok(to)
    }

    /// Checks whether the record at this offset may be skipped, and returns the next offset. The
    /// caller checks that it is the next record.
    ///
    /// # Errors
    /// The group has passed the record, the log ends before it, or the group has never read the
    /// partition.
    pub fn skip(&self, record: i64) -> Result<i64, String> {
        let committed = self.read_before()?.max(self.start);
        if record < committed {
            return Err(format!(
                "the group has passed {record} of {} already: it is at {committed}",
                self.name()
            ));
        }
        if record >= self.end {
            return Err(format!(
                "{} has no record {record} yet: it ends at {}",
                self.name(),
                self.end
            ));
        }
        Ok(record + 1)
    }

    fn read_before(&self) -> Result<i64, String> {
        self.committed.ok_or_else(|| {
            format!(
                "the group has never read {}; StartingPosition determines where it begins. Start \
                 the mapping once",
                self.name()
            )
        })
    }
}

/// The positions of a mapping's group in every partition of its topics. Blocks.
///
/// # Errors
/// The cluster does not respond, or does not have a topic.
pub fn group_positions(mapping: &KafkaMapping) -> Result<Vec<GroupPosition>, String> {
    let failed = |error: KafkaError| format!("Kafka at {}: {error}", mapping.bootstrap_servers);
    let consumer = consumer(mapping, &mapping.group)?;
    let mut list = TopicPartitionList::new();
    for topic in &mapping.topics {
        let before = list.count();
        for partition in partitions(&consumer, topic, PATIENCE).map_err(failed)? {
            list.add_partition(topic, partition);
        }
        if list.count() == before {
            return Err(format!(
                "Kafka at {} has no topic {topic}",
                mapping.bootstrap_servers
            ));
        }
    }
    let committed = consumer.committed_offsets(list, PATIENCE).map_err(failed)?;
    let mut all = Vec::new();
    for element in committed.elements() {
        let (start, end) = watermarks(&consumer, element.topic(), element.partition())?;
        all.push(GroupPosition {
            topic: element.topic().to_owned(),
            partition: element.partition(),
            committed: match element.offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            },
            start,
            end,
        });
    }
    all.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    Ok(all)
}

/// Upper bound of the records that the group has not processed in a partition. Transaction markers
/// and aborted records before the next record are excluded if the brokers name it. Blocks.
pub fn lag(mapping: &KafkaMapping, position: &GroupPosition) -> Option<i64> {
    let lag = position.lag()?;
    if lag == 0 {
        return Some(0);
    }
    let next = consumer(mapping, &mapping.group).and_then(|consumer| {
        first_record(
            &consumer,
            (&position.topic, position.partition),
            position.end - lag,
            FIRST_RECORD,
        )
    });
    match next {
        Ok(next) => Some(next.map_or(0, |next| (position.end - next).max(0))),
        Err(why) => {
            tracing::debug!(%why, "the lag may count transaction markers");
            Some(lag)
        }
    }
}

/// The offset of a target in a partition. Blocks.
///
/// # Errors
/// The brokers do not respond.
pub fn resolve(
    mapping: &KafkaMapping,
    position: &GroupPosition,
    target: SeekTarget,
) -> Result<i64, String> {
    let at = match target {
        SeekTarget::Beginning => return Ok(position.start),
        SeekTarget::End => return Ok(position.end),
        SeekTarget::Offset(offset) => return Ok(offset),
        SeekTarget::Time(at) => at,
    };
    let failed = |error: KafkaError| format!("Kafka at {}: {error}", mapping.bootstrap_servers);
    let consumer = consumer(mapping, &mapping.group)?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&position.topic, position.partition, Offset::Offset(at))
        .map_err(failed)?;
    let found = consumer.offsets_for_times(list, PATIENCE).map_err(failed)?;
    let found = by_partition(&found).get(&position.partition).copied();
    Ok(found.unwrap_or(position.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(committed: Option<i64>) -> GroupPosition {
        GroupPosition {
            topic: "orders".into(),
            partition: 3,
            committed,
            start: 10,
            end: 20,
        }
    }

    #[test]
    fn a_seek_stays_within_the_log() {
        let at = position(Some(12));
        assert_eq!(
            [10, 12, 20].map(|to| at.seek(to).ok()),
            [Some(10), Some(12), Some(20)]
        );
        for outside in [-1, 9, 21] {
            assert!(at.seek(outside).unwrap_err().contains("10 to 20"));
        }
    }

    #[test]
    fn a_never_read_partition_is_refused() {
        let never = position(None);
        assert!(never.seek(10).unwrap_err().contains("StartingPosition"));
        assert!(never.skip(10).unwrap_err().contains("never read orders-3"));
        assert_eq!(never.lag(), None);
    }

    #[test]
    fn a_skip_passes_one_unread_record() {
        assert_eq!(position(Some(12)).skip(12), Ok(13));
        assert!(position(Some(12)).skip(11).unwrap_err().contains("already"));
        assert!(
            position(Some(12))
                .skip(20)
                .unwrap_err()
                .contains("ends at 20")
        );
        // the records up to 10 were deleted before they were read
        assert_eq!(
            (position(Some(4)).skip(10), position(Some(4)).lag()),
            (Ok(11), Some(10))
        );
    }
}
