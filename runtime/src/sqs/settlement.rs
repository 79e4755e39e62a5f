//! Tells the queue what became of messages: deleted, to be shown again at once, or to be hidden for longer.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
};
use futures::StreamExt as _;

use super::client::{Sqs, wrong};

/// Entries of one call: the service's limit.
const ENTRIES: usize = 10;

/// Calls at one time for one batch.
const AT_ONCE: usize = 4;

/// Attempts for one call, and the pause after the first; it doubles. Together about three seconds.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(100);

/// What the queue is told of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is done.
    Delete,
    /// Its visibility timeout is to end now.
    Release,
    /// Its visibility timeout is to begin again, with this length; the queue takes whole seconds.
    Hide(Duration),
}

/// Tells the queue, and asks again for a while where it does not listen. Returns how many it took, and why the first of
/// the others was not.
pub(super) async fn settle(
    sqs: &Sqs,
    queue: &str,
    verdict: Verdict,
    receipts: Vec<String>,
) -> (usize, Option<String>) {
    let url = sqs.url(queue);
    let chunks: Vec<Vec<String>> = receipts.chunks(ENTRIES).map(<[String]>::to_vec).collect();
    let outcomes = futures::stream::iter(chunks)
        .map(|chunk| one(sqs, &url, verdict, chunk))
        .buffer_unordered(AT_ONCE);
    outcomes
        .fold((0, None), async |(taken, first), (more, why)| {
            (taken + more, first.or(why))
        })
        .await
}

async fn one(
    sqs: &Sqs,
    url: &str,
    verdict: Verdict,
    receipts: Vec<String>,
) -> (usize, Option<String>) {
    let all = receipts.len();
    let mut left: HashMap<String, String> = receipts
        .into_iter()
        .enumerate()
        .map(|(at, receipt)| (at.to_string(), receipt))
        .collect();
    let mut refused = 0;
    let mut why = None;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(PAUSE * 2_u32.pow(attempt - 1)).await;
        }
        match call(sqs, url, verdict, &left).await {
            Ok(failed) => {
                let (hopeless, again): (Vec<_>, Vec<_>) = failed
                    .into_iter()
                    .partition(BatchResultErrorEntry::sender_fault);
                refused += hopeless.len();
                let words = hopeless.first().or(again.first());
                why = words
                    .map(|entry| {
                        format!("{}: {}", entry.code(), entry.message().unwrap_or_default())
                    })
                    .or(why);
                left.retain(|id, _| again.iter().any(|entry| entry.id() == id));
            }
            Err(error) => why = Some(error),
        }
        if left.is_empty() {
            break;
        }
    }
    let taken = all - refused - left.len();
    (taken, why.filter(|_| taken < all))
}

/// One call; yields the entries that failed.
async fn call(
    sqs: &Sqs,
    url: &str,
    verdict: Verdict,
    entries: &HashMap<String, String>,
) -> Result<Vec<BatchResultErrorEntry>, String> {
    // the builders only miss what is set here
    let broken = |error: &dyn std::fmt::Display| error.to_string();
    match verdict {
        Verdict::Delete => {
            let mut request = sqs.client.delete_message_batch().queue_url(url);
            for (id, receipt) in entries {
                let entry = DeleteMessageBatchRequestEntry::builder()
                    .id(id)
                    .receipt_handle(receipt)
                    .build();
                request = request.entries(entry.map_err(|error| broken(&error))?);
            }
            request
                .send()
                .await
                .map(|answer| answer.failed)
                .map_err(|error| wrong(&error).to_string())
        }
        Verdict::Release | Verdict::Hide(_) => {
            let hidden = if let Verdict::Hide(hidden) = verdict {
                hidden.as_secs_f64().ceil() as i32
            } else {
                0
            };
            let mut request = sqs.client.change_message_visibility_batch().queue_url(url);
            for (id, receipt) in entries {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(id)
                    .receipt_handle(receipt)
                    .visibility_timeout(hidden)
                    .build();
                request = request.entries(entry.map_err(|error| broken(&error))?);
            }
            request
                .send()
                .await
                .map(|answer| answer.failed)
                .map_err(|error| wrong(&error).to_string())
        }
    }
}
