//! The stores of dead letters, collected from the kinds of sources.

use super::stores::DeadLetterStore;

/// The stores of dead letters, collected from the kinds of sources.
#[derive(Debug, Default)]
pub struct StoreList {
    /// Queues, topics and streams, each once.
    pub stores: Vec<DeadLetterStore>,
}
