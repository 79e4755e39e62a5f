//! Changes of the position from which a source reads.

use serde::{Deserialize, Serialize};

/// A move that an operator requests from a running host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionChange {
    /// Logical id of the mapping.
    pub mapping: String,
    /// One of its topics.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// Kind of the move.
    pub action: PositionAction,
    /// The next offset to read, or the record to skip.
    pub offset: i64,
}

/// Kind of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PositionAction {
    /// Read from an offset.
    Seek,
    /// Skip the next record.
    Skip,
}
