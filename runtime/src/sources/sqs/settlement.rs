//! Deletes messages, releases them, or hides them for longer.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
};
use futures::StreamExt as _;

use super::client::{Sqs, SqsError, convert};

/// Maximum of entries in one call: the service's limit.
const ENTRIES: usize = 10;

/// Concurrent calls for one batch.
const CONCURRENCY: usize = 4;

/// Attempts of one call, and the pause after the first, which doubles. Together about three
/// seconds.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(100);

/// What happens to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    /// Delete it.
    Delete,
    /// End its visibility timeout now.
    Release,
    /// Restart its visibility timeout with this length, rounded up to whole seconds.
    Hide(Duration),
}

/// Applies `disposition` to the messages, with retries. Returns for how many messages it succeeded,
/// and the error of the first other one.
pub(super) async fn settle(
    sqs: &Sqs,
    queue: &str,
    disposition: Disposition,
    receipts: Vec<String>,
) -> (usize, Option<String>) {
    let url = sqs.url(queue);
    let chunks: Vec<Vec<String>> = receipts.chunks(ENTRIES).map(<[String]>::to_vec).collect();
    let outcomes = futures::stream::iter(chunks)
        .map(|chunk| settle_chunk(sqs, &url, disposition, chunk))
        .buffer_unordered(CONCURRENCY);
    outcomes
        .fold((0, None), async |(settled, first), (more, why)| {
            (settled + more, first.or(why))
        })
        .await
}

async fn settle_chunk(
    sqs: &Sqs,
    url: &str,
    disposition: Disposition,
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
        match call(sqs, url, disposition, &left).await {
            Ok(failed) => {
                let (refused_entries, again): (Vec<_>, Vec<_>) = failed
                    .into_iter()
                    .partition(BatchResultErrorEntry::sender_fault);
                refused += refused_entries.len();
                let first = refused_entries.first().or(again.first());
                why = first
                    .map(|entry| {
                        format!("{}: {}", entry.code(), entry.message().unwrap_or_default())
                    })
                    .or(why);
                left.retain(|id, _| again.iter().any(|entry| entry.id() == id));
            }
            Err(error) => why = Some(error.to_string()),
        }
        if left.is_empty() {
            break;
        }
    }
    let settled = all - refused - left.len();
    (settled, why.filter(|_| settled < all))
}

/// One call; returns the entries that failed.
async fn call(
    sqs: &Sqs,
    url: &str,
    disposition: Disposition,
    entries: &HashMap<String, String>,
) -> Result<Vec<BatchResultErrorEntry>, SqsError> {
    // a builder fails only without an id or receipt
    let hidden = match disposition {
        Disposition::Delete => {
            let mut request = sqs.client.delete_message_batch().queue_url(url);
            for (id, receipt) in entries {
                let entry = DeleteMessageBatchRequestEntry::builder()
                    .id(id)
                    .receipt_handle(receipt);
                request = request.entries(entry.build()?);
            }
            let answer = request.send().await.map_err(|error| convert(&error))?;
            return Ok(answer.failed);
        }
        Disposition::Release => Duration::ZERO,
        Disposition::Hide(hidden) => hidden,
    };
    let mut request = sqs.client.change_message_visibility_batch().queue_url(url);
    for (id, receipt) in entries {
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(receipt)
            .visibility_timeout(hidden.as_secs_f64().ceil() as i32);
        request = request.entries(entry.build()?);
    }
    let answer = request.send().await.map_err(|error| convert(&error))?;
    Ok(answer.failed)
}
