//! Sends a batch once: each message at most one time, a message group up to its first failure.

use std::collections::BTreeSet;

use futures::future::join_all;
use lambda_batch::Reason;
use redis_streams::EntryId;
use shared::sqs::{NewMessage, Queue, Sent, SqsError, batches};

/// An entry and its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The entry.
    pub id: EntryId,
    /// Its message.
    pub message: NewMessage,
}

/// The result of sending items.
#[derive(Debug, Default)]
pub struct SendResult {
    /// Accepted by SQS.
    pub accepted: Vec<EntryId>,
    /// Refused by SQS for good.
    pub refused: Vec<(EntryId, Reason)>,
    /// To be sent again, in order: not accepted, or after such a message in the same group.
    pub left: Vec<Item>,
    /// The error of the last request that failed as a whole.
    pub error: Option<SqsError>,
}

impl Item {
    fn group(&self) -> Option<&str> {
        self.message.fifo.as_ref().map(|fifo| fifo.group.as_str())
    }
}

/// Sends items in the order of the stream.
///
/// One item of a message group is in flight at a time; the next follows when it was accepted or
/// refused for good. So a partly accepted request cannot change the order of a group.
pub async fn send(queue: &Queue, items: Vec<Item>) -> SendResult {
    let mut result = SendResult::default();
    let mut stopped = BTreeSet::new();
    let mut waiting = items;
    while !waiting.is_empty() {
        let (wave, later) = wave(waiting, &stopped, &mut result.left);
        let sizes: Vec<usize> = wave.iter().map(|item| item.message.size()).collect();
        let requests = batches(&sizes).into_iter().map(async |range| {
            let messages: Vec<_> = wave[range]
                .iter()
                .map(|item| item.message.clone())
                .collect();
            (messages.len(), queue.send(&messages).await)
        });
        let replies = join_all(requests).await;
        let mut wave = wave.into_iter();
        for (count, reply) in replies {
            let sent = reply.unwrap_or_else(|error| {
                let reason = error.to_string();
                result.error = Some(error);
                vec![
                    Sent::Refused {
                        permanent: false,
                        reason
                    };
                    count
                ]
            });
            for (item, sent) in wave.by_ref().take(count).zip(sent) {
                match sent {
                    Sent::Accepted => result.accepted.push(item.id),
                    Sent::Refused {
                        permanent: true,
                        reason,
                    } => result.refused.push((item.id, Reason::new(reason))),
                    Sent::Refused {
                        permanent: false, ..
                    } => {
                        stopped.extend(item.group().map(str::to_owned));
                        result.left.push(item);
                    }
                }
            }
        }
        waiting = later;
    }
    result.left.sort_by_key(|item| item.id);
    result
}

/// Splits items into those that can be sent now and later ones of the same groups. Items of stopped
/// groups go to `left`.
fn wave(
    items: Vec<Item>,
    stopped: &BTreeSet<String>,
    left: &mut Vec<Item>,
) -> (Vec<Item>, Vec<Item>) {
    let mut groups = BTreeSet::new();
    let mut now = Vec::with_capacity(items.len());
    let mut later = Vec::new();
    for item in items {
        let group = item.group().map(str::to_owned);
        if group.as_ref().is_some_and(|group| stopped.contains(group)) {
            left.push(item);
        } else if group.is_none_or(|group| groups.insert(group)) {
            now.push(item);
        } else {
            later.push(item);
        }
    }
    (now, later)
}
