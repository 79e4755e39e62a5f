//! Sends messages until the queue has every one of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::cut::{Outgoing, calls};
use crate::sqs::{Note, Sqs, Wrong};

/// Pauses between attempts: doubling, up to the last.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// True once all of it is there; false if `stop` turned true while it could not be sent.
///
/// # Errors
/// The queue does not exist, or refuses a message for what it is.
pub(super) async fn all(
    sqs: &Sqs,
    queue: &str,
    messages: Vec<Outgoing>,
    stop: &AtomicBool,
) -> Result<bool, String> {
    for call in calls(messages) {
        let mut left: Vec<Note> = call.into_iter().map(note).collect();
        let mut attempt = 0;
        while !left.is_empty() {
            match sqs.send_notes(queue, &left).await {
                Ok((_, Some(why))) | Err(Wrong::Refused(why)) => {
                    return Err(format!("queue {queue} refuses a message: {why}"));
                }
                Ok((again, None)) => left = again,
                Err(Wrong::NoQueue) => {
                    return Err(format!("there is no queue {queue} at {}", sqs.endpoint()));
                }
                Err(Wrong::Other(why)) if attempt == 0 => {
                    tracing::warn!(
                        queue,
                        "cannot be sent just now; it is tried until it can: {why}"
                    );
                }
                Err(Wrong::Other(why)) => tracing::debug!(queue, why, "not sent yet"),
            }
            if left.is_empty() {
                break;
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            tokio::time::sleep(PAUSES[attempt.min(PAUSES.len() - 1)]).await;
            attempt += 1;
        }
    }
    Ok(true)
}

fn note(message: Outgoing) -> Note {
    let mut attributes = vec![("record", message.id.clone())];
    attributes.extend(message.key.map(|key| ("key", key)));
    attributes.extend(message.encoded.then(|| ("encoding", "base64".to_owned())));
    Note {
        deduplication: message.group.is_some().then_some(message.id),
        body: message.body,
        group: message.group,
        attributes,
    }
}
