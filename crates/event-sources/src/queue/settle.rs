//! What an invocation's result means for each of its messages.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Action, Finish, Key, Message};

/// Settles a batch. In a FIFO batch a failure keeps every later message of its group, too.
pub(super) fn settle(batch: &[Message], finish: &Finish, out: &mut Vec<Action>) {
    let keys = || {
        batch
            .iter()
            .map(|message| message.key)
            .collect::<Vec<Key>>()
    };
    match finish {
        Finish::Failed => out.push(Action::Leave(keys())),
        Finish::NotInvoked => out.push(Action::Release(keys())),
        Finish::Answered(failed) => {
            let failed: HashSet<Key> = failed.iter().copied().collect();
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
                out.push(Action::Delete(done));
            }
            if !kept.is_empty() {
                out.push(Action::Leave(kept));
            }
        }
    }
}
