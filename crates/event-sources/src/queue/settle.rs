//! Derives the end of each message from the result of its batch.

use std::collections::HashSet;
use std::sync::Arc;

use super::batch::Batch;
use super::{MessageKey, QueueAction, QueueBatchResult};

/// Settles a batch, which may be empty. In a FIFO batch a failure also keeps every later message of
/// its group.
pub(super) fn settle(batch: &Batch, finish: &QueueBatchResult, out: &mut Vec<QueueAction>) {
    if batch.is_empty() {
        return;
    }
    match finish {
        QueueBatchResult::Failed => out.push(QueueAction::Leave(batch.keys())),
        QueueBatchResult::NotInvoked => out.push(QueueAction::Release(batch.keys())),
        QueueBatchResult::Answered(failed) => {
            let failed: HashSet<MessageKey> = failed.iter().copied().collect();
            let mut stopped: HashSet<&Arc<str>> = HashSet::new();
            let mut done = Vec::new();
            let mut kept = Vec::new();
            for message in &batch.messages {
                let behind = message
                    .group
                    .as_ref()
                    .is_some_and(|group| stopped.contains(group));
                if behind || failed.contains(&message.key) {
                    stopped.extend(&message.group);
                    kept.push(message.key);
                } else {
                    done.push(message.key);
                }
            }
            if !done.is_empty() {
                out.push(QueueAction::Delete(done));
            }
            if !kept.is_empty() {
                out.push(QueueAction::Leave(kept));
            }
        }
    }
}
