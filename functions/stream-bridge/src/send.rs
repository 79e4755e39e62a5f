//! Sending what is in hand, once: every message at most one time, a message group no further than its first failure.

use std::collections::BTreeSet;

use futures::future::join_all;
use lambda_batch::Reason;
use redis_streams::EntryId;
use shared::sqs::{NewMessage, Queue, Sent, SqsError, batches};

/// An entry on its way: its message and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The entry.
    pub id: EntryId,
    /// Its message.
    pub message: NewMessage,
}

/// What became of the items.
#[derive(Debug, Default)]
pub struct Round {
    /// SQS has them.
    pub accepted: Vec<EntryId>,
    /// SQS will never take them.
    pub refused: Vec<(EntryId, Reason)>,
    /// To be sent again, in their order: not accepted, or behind one that was not in its message group.
    pub left: Vec<Item>,
    /// Why requests failed as a whole, the last of them.
    pub error: Option<SqsError>,
}

impl Item {
    fn group(&self) -> Option<&str> {
        self.message.fifo.as_ref().map(|fifo| fifo.group.as_str())
    }
}

/// Sends items, given in the order of the stream.
///
/// Of a message group only one item is on its way at a time, and the next follows only when it was accepted (or is never going to
/// be): a request whose messages SQS takes in part cannot put a group out of order.
pub async fn send(queue: &Queue, items: Vec<Item>) -> Round {
    let mut round = Round::default();
    let mut stopped = BTreeSet::new();
    let mut waiting = items;
    while !waiting.is_empty() {
        let (wave, later) = wave(waiting, &stopped, &mut round.left);
        let sizes: Vec<usize> = wave.iter().map(|item| item.message.size()).collect();
        let requests = batches(&sizes)
            .into_iter()
            .map(|range| request(queue, &wave[range]));
        let answers = join_all(requests).await;
        let mut wave = wave.into_iter();
        for (asked, answer) in answers {
            let sent = answer.unwrap_or_else(|error| {
                // Nothing is known of its messages.
                let reason = error.to_string();
                round.error = Some(error);
                vec![
                    Sent::Refused {
                        by_its_fault: false,
                        reason
                    };
                    asked
                ]
            });
            for (item, sent) in wave.by_ref().take(asked).zip(sent) {
                match sent {
                    Sent::Accepted => round.accepted.push(item.id),
                    Sent::Refused {
                        by_its_fault: true,
                        reason,
                    } => round.refused.push((item.id, Reason::new(reason))),
                    Sent::Refused {
                        by_its_fault: false,
                        ..
                    } => {
                        stopped.extend(item.group().map(str::to_owned));
                        round.left.push(item);
                    }
                }
            }
        }
        waiting = later;
    }
    round.left.sort_by_key(|item| item.id);
    round
}

/// What can be sent together now, and what must wait for it. What belongs to a stopped group is left.
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

/// One request: of how many messages, and what came of it.
async fn request(queue: &Queue, items: &[Item]) -> (usize, Result<Vec<Sent>, SqsError>) {
    let messages: Vec<NewMessage> = items.iter().map(|item| item.message.clone()).collect();
    (items.len(), queue.send(&messages).await)
}
