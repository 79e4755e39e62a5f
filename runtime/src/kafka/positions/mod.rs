//! Where a mapping's group stands in each partition, and which moves an operator may make.
//!
//! `standings` reads it from the brokers; the rules are pure: a move has a reason to be refused, or a new offset. `direct` makes the move
//! where no host runs.

mod direct;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use super::lookup::{FIRST_RECORD, PATIENCE, consumer, first_record, watermarks};
use crate::model::KafkaMapping;
pub use direct::{seek, skip};

/// A group in one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Topic.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// Next offset that the group reads, as it was last committed; `None`: never.
    pub committed: Option<i64>,
    /// First offset that the log still has.
    pub start: i64,
    /// The last stable offset: where the first open transaction begins, else the offset of the next record that is written.
    pub end: i64,
}

/// Where to read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The first record that the log still has.
    Beginning,
    /// Behind the last record.
    End,
    /// This offset.
    Offset(i64),
    /// The first record of this time or later, milliseconds since 1970.
    Time(i64),
}

/// What an operator asks a running host for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionChange {
    /// Logical id of the mapping.
    pub mapping: String,
    /// One of its topics.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// What to do.
    pub action: PositionAction,
    /// The next offset to read, or the record to pass.
    pub offset: i64,
}

/// What to do with a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PositionAction {
    /// Read it from an offset on.
    Seek,
    /// Pass its next record.
    Skip,
}

impl Standing {
    /// Offsets between the committed one and the end: records, and transaction markers and aborted records as well. [`lag`] looks which.
    pub fn lag(&self) -> Option<i64> {
        self.committed
            .map(|committed| (self.end - committed.max(self.start)).max(0))
    }

    /// `topic-partition`.
    pub fn name(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }

    /// Whether the group may be put to this offset.
    ///
    /// # Errors
    /// Why not, and what to do instead.
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

    /// Whether the record at this offset may be passed. Yields the offset behind it. Whether it is the next record is for the caller
    /// to find out.
    ///
    /// # Errors
    /// Why not, and what to do instead.
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
            format!("the group has never read {}; StartingPosition decides where it begins. Start the mapping once", self.name())
        })
    }
}

/// The group of a mapping in every partition of its topics. Blocks.
///
/// # Errors
/// The cluster cannot be reached, or does not have a topic.
pub fn standings(mapping: &KafkaMapping) -> Result<Vec<Standing>, String> {
    let failed = |error: KafkaError| format!("Kafka at {}: {error}", mapping.bootstrap_servers);
    let consumer = consumer(mapping, &mapping.group)?;
    let mut list = TopicPartitionList::new();
    for topic in &mapping.topics {
        let metadata = consumer
            .fetch_metadata(Some(topic), PATIENCE)
            .map_err(failed)?;
        let partitions = metadata.topics().iter().flat_map(MetadataTopic::partitions);
        let before = list.count();
        for partition in partitions {
            list.add_partition(topic, partition.id());
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
        let committed = if let Offset::Offset(offset) = element.offset() {
            Some(offset)
        } else {
            None
        };
        all.push(Standing {
            topic: element.topic().to_owned(),
            partition: element.partition(),
            committed,
            start,
            end,
        });
    }
    all.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    Ok(all)
}

/// Records that the group has not done in a partition, at most: offsets from the next record to the end. Transaction markers and aborted
/// records before the next record do not count; where the brokers do not say which is next, they do. Blocks.
pub fn lag(mapping: &KafkaMapping, standing: &Standing) -> Option<i64> {
    let lag = standing.lag()?;
    if lag == 0 {
        return Some(0);
    }
    let next = consumer(mapping, &mapping.group).and_then(|consumer| {
        first_record(
            &consumer,
            (&standing.topic, standing.partition),
            standing.end - lag,
            FIRST_RECORD,
        )
    });
    match next {
        Ok(next) => Some(next.map_or(0, |next| (standing.end - next).max(0))),
        Err(why) => {
            tracing::debug!(why, "the lag may count transaction markers");
            Some(lag)
        }
    }
}

/// The offset that a target means in a partition. Blocks.
///
/// # Errors
/// The brokers do not answer.
pub fn resolve(mapping: &KafkaMapping, standing: &Standing, target: Target) -> Result<i64, String> {
    let at = match target {
        Target::Beginning => return Ok(standing.start),
        Target::End => return Ok(standing.end),
        Target::Offset(offset) => return Ok(offset),
        Target::Time(at) => at,
    };
    let failed = |error: KafkaError| format!("Kafka at {}: {error}", mapping.bootstrap_servers);
    let consumer = consumer(mapping, &mapping.group)?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&standing.topic, standing.partition, Offset::Offset(at))
        .map_err(failed)?;
    let found = consumer.offsets_for_times(list, PATIENCE).map_err(failed)?;
    Ok(
        match found
            .find_partition(&standing.topic, standing.partition)
            .map(|element| element.offset())
        {
            Some(Offset::Offset(offset)) => offset,
            _ => standing.end,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(committed: Option<i64>) -> Standing {
        Standing {
            topic: "orders".into(),
            partition: 3,
            committed,
            start: 10,
            end: 20,
        }
    }

    #[test]
    fn a_seek_stays_within_the_log() {
        let at = standing(Some(12));
        assert_eq!(
            [10, 12, 20].map(|to| at.seek(to).ok()),
            [Some(10), Some(12), Some(20)]
        );
        for outside in [-1, 9, 21] {
            assert!(at.seek(outside).unwrap_err().contains("10 to 20"));
        }
    }

    #[test]
    fn a_partition_that_was_never_read_is_refused() {
        let never = standing(None);
        assert!(never.seek(10).unwrap_err().contains("StartingPosition"));
        assert!(never.skip(10).unwrap_err().contains("never read orders-3"));
        assert_eq!(never.lag(), None);
    }

    #[test]
    fn a_skip_passes_one_record_that_was_not_passed() {
        assert_eq!(standing(Some(12)).skip(12), Ok(13));
        assert!(standing(Some(12)).skip(11).unwrap_err().contains("already"));
        assert!(
            standing(Some(12))
                .skip(20)
                .unwrap_err()
                .contains("ends at 20")
        );
        // the records up to 10 were deleted before they were read
        assert_eq!(
            (standing(Some(4)).skip(10), standing(Some(4)).lag()),
            (Ok(11), Some(10))
        );
    }
}
