//! Partial batch responses of event source mappings.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{KafkaBatch, SqsBatch};

/// What may not be acknowledged, as event source mappings read it. Empty: all is well.
///
/// - Kafka: `{"batchItemFailures":[{"itemIdentifier":{"partition":"topic-0","offset":42}}]}`, at most one a partition: delivery resumes there.
/// - SQS (`I` = `String`): `{"batchItemFailures":[{"itemIdentifier":"<message id>"}]}`, one a message that is to come again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchResponse<I = KafkaItemIdentifier> {
    /// What did not get through.
    #[serde(rename = "batchItemFailures")]
    pub items: Vec<BatchItemFailure<I>>,
}

/// One partition or message that did not get through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchItemFailure<I = KafkaItemIdentifier> {
    /// Where delivery resumes.
    #[serde(rename = "itemIdentifier")]
    pub identifier: I,
}

/// A record as event source mappings name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KafkaItemIdentifier {
    /// `topic-partition`.
    pub partition: String,
    /// The lowest offset that may not be acknowledged.
    pub offset: i64,
}

impl<I> BatchResponse<I> {
    /// Whether the whole batch may be acknowledged.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl<I> Default for BatchResponse<I> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

/// A batch as its source delivers it, and what must come again when some of its records failed.
pub trait EventBatch {
    /// How the source names what is to come again.
    type Identifier;

    /// Number of records.
    fn size(&self) -> usize;

    /// The response when the records of these indices, ascending, may not be acknowledged.
    fn response(&self, failed: impl Iterator<Item = usize>) -> BatchResponse<Self::Identifier>;
}

/// Of every partition the lowest offset that failed: delivery resumes there.
impl EventBatch for KafkaBatch {
    type Identifier = KafkaItemIdentifier;

    fn size(&self) -> usize {
        self.len()
    }

    fn response(&self, failed: impl Iterator<Item = usize>) -> BatchResponse {
        let mut lowest: BTreeMap<(&str, i32), i64> = BTreeMap::new();
        for record in failed.filter_map(|index| self.get(index)) {
            let at = lowest
                .entry((record.topic, record.partition))
                .or_insert(record.offset);
            *at = record.offset.min(*at);
        }
        let item = |((topic, partition), offset)| BatchItemFailure {
            identifier: KafkaItemIdentifier {
                partition: format!("{topic}-{partition}"),
                offset,
            },
        };
        BatchResponse {
            items: lowest.into_iter().map(item).collect(),
        }
    }
}

/// Every message that failed; of a FIFO queue also what stands behind it in its group, done or not: it may not overtake.
impl EventBatch for SqsBatch {
    type Identifier = String;

    fn size(&self) -> usize {
        self.messages.len()
    }

    fn response(&self, failed: impl Iterator<Item = usize>) -> BatchResponse<String> {
        let mut failed = failed.peekable();
        let mut stopped = BTreeSet::new();
        let mut items = Vec::new();
        for (index, message) in self.messages.iter().enumerate() {
            let group = message.group.as_deref();
            if failed.next_if_eq(&index).is_some() {
                stopped.extend(group);
            } else if !group.is_some_and(|group| stopped.contains(group)) {
                continue;
            }
            items.push(BatchItemFailure {
                identifier: message.id.clone(),
            });
        }
        BatchResponse { items }
    }
}
