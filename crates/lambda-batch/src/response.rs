//! Partial batch responses of event source mappings.

use serde::{Deserialize, Serialize};
use tracing::Span;

/// A partial batch response. Empty if the whole batch may be acknowledged.
///
/// - Kafka: `{"batchItemFailures":[{"itemIdentifier":{"partition":"topic-0","offset":42}}]}`,
///   at most one item per partition: delivery resumes there.
/// - SQS (`I` = `String`): `{"batchItemFailures":[{"itemIdentifier":"<message id>"}]}`, one item
///   for each message that is delivered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchResponse<I = KafkaItemIdentifier> {
    /// The failed items.
    #[serde(rename = "batchItemFailures")]
    pub items: Vec<BatchItemFailure<I>>,
}

/// A partition or message to deliver again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchItemFailure<I = KafkaItemIdentifier> {
    /// Where delivery resumes.
    #[serde(rename = "itemIdentifier")]
    pub identifier: I,
}

/// A Kafka record as event source mappings identify it.
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

/// The batch of one event: its records, the order between them, and its partial batch response.
pub trait EventBatch: Sync {
    /// How the source identifies what it delivers again.
    type Identifier;
    /// One record, borrowed from the batch.
    type Record<'a>
    where
        Self: 'a;

    /// Number of records.
    fn size(&self) -> usize;

    /// The record of an index, from 0.
    ///
    /// # Panics
    /// If the batch has no such record.
    fn record(&self, index: usize) -> Self::Record<'_>;

    /// The indices of all records, by sequence. Records of a sequence must be handled in order;
    /// sequences are independent of each other.
    fn sequences(&self) -> Vec<Vec<usize>>;

    /// The tracing span in which a record is handled.
    fn span(&self, index: usize) -> Span;

    /// The response if the records of these indices, ascending, may not be acknowledged.
    fn response(&self, failed: impl Iterator<Item = usize>) -> BatchResponse<Self::Identifier>;
}
