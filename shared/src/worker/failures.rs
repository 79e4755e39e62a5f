//! The partial batch response of a Kafka event source mapping.

use serde::{Deserialize, Serialize};

/// `{"batchItemFailures":[{"itemIdentifier":{"partition":"topic-0","offset":42}}]}`: delivery resumes there. Empty: all is well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// At most one per partition.
    #[serde(rename = "batchItemFailures")]
    pub items: Vec<ItemFailure>,
}

/// One partition that did not get through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemFailure {
    /// Where delivery resumes.
    #[serde(rename = "itemIdentifier")]
    pub at: ItemIdentifier,
}

/// A record as event source mappings name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemIdentifier {
    /// `topic-partition`.
    pub partition: String,
    /// The lowest offset that may not be acknowledged.
    pub offset: i64,
}

impl Failures {
    /// Whether the whole batch may be acknowledged.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}
