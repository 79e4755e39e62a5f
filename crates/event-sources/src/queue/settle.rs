//! Derives the end of each message from the result of its batch.

use std::collections::HashSet;
use std::sync::Arc;

use super::{MessageKey, QueueAction, QueueBatchResult, QueueMessage};

/// Settles a batch. In a FIFO batch a failure also keeps every later message of its group.
pub(super) fn settle(
    batch: &[QueueMessage],
    finish: &QueueBatchResult,
    out: &mut Vec<QueueAction>,
) {
    let keys = || {
        batch
            .iter()
            .map(|message| message.key)
            .collect::<Vec<MessageKey>>()
    };
    match finish {
        QueueBatchResult::Failed => out.push(QueueAction::Leave(keys())),
        QueueBatchResult::NotInvoked => out.push(QueueAction::Release(keys())),
        QueueBatchResult::Answered(failed) => {
            let failed: HashSet<MessageKey> = failed.iter().copied().collect();
            let mut stopped: HashSet<&Arc<str>> = HashSet::new();
            let mut done = Vec::new();
            let mut kept = Vec::new();
            for message in batch {
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
