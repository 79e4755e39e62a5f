//! `usher bridge`: copies the records of a Kafka topic to a queue.
//!
//! The consumer reads a handful of records; `cut` makes messages of them and says which may travel in one call (pure); `carry` sends each call
//! until the queue has all of it; then the group's offsets are committed. `gaps` names records that were deleted before they were read.
//!
//! Promises: at least once; records of one key arrive in order at a FIFO queue, where the key is the message group, and once within its five
//! minutes of deduplication; what was committed is not sent again; a shutdown finishes what is in hand. A record that no queue can take
//! stops the bridge with its place: it is never skipped.

mod carry;
mod cut;
mod gaps;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message as _, OwnedMessage};
use tokio::runtime::Handle;

use crate::kafka::Quiet;
use crate::observation::Repeats;
use crate::sqs::Sqs;
pub use cut::{MOST_BYTES, Outgoing, calls, message};
use gaps::Gaps;

/// Records read before they are sent and committed.
const HANDFUL: usize = 500;

/// How long a poll waits when there is nothing.
const POLL: Duration = Duration::from_millis(200);

/// From where to where.
#[derive(Debug, Clone)]
pub struct Route {
    /// `host:port,...`
    pub servers: String,
    /// Topic. It has to exist.
    pub topic: String,
    /// Consumer group, whose offsets say how far it is. A new group begins with the oldest record.
    pub group: String,
    /// SQS.
    pub sqs: Sqs,
    /// Name of the queue. It has to exist.
    pub queue: String,
}

/// Copies until `stop` is true. Yields the records copied. Blocking, within a tokio runtime's reach.
///
/// # Errors
/// Why it cannot go on: the topic or queue does not exist, or a record cannot become a message.
pub fn run(route: &Route, runtime: &Handle, stop: &Arc<AtomicBool>) -> Result<u64, String> {
    let unusable =
        |error: KafkaError| format!("topic {} at {}: {error}", route.topic, route.servers);
    let consumer: BaseConsumer<Quiet> = ClientConfig::new()
        .set("bootstrap.servers", &route.servers)
        .set("group.id", &route.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .set("allow.auto.create.topics", "false")
        .create_with_context(Quiet)
        .map_err(unusable)?;
    consumer.subscribe(&[&route.topic]).map_err(unusable)?;
    let fifo = crate::model::sqs::is_fifo(&route.queue);
    let mut copied = 0;
    let mut errors = Repeats::default();
    let mut gaps = Gaps::default();
    while !stop.load(Ordering::Relaxed) {
        let records = read(&consumer, &mut errors).map_err(unusable)?;
        let Some(last) = records.last() else { continue };
        for record in &records {
            gaps.look(&consumer, record);
        }
        // what came before a record that cannot be sent is copied all the same
        let mut messages = Vec::with_capacity(records.len());
        let mut wrong = None;
        for record in &records {
            match message(record, fifo) {
                Ok(message) => messages.push(message),
                Err(why) => {
                    wrong = Some(why);
                    break;
                }
            }
        }
        let done = messages.len();
        tracing::debug!(records = done, partition = last.partition(), "carrying");
        if !runtime.block_on(carry::all(&route.sqs, &route.queue, messages, stop))? {
            // told to stop while the queue did not answer: nothing of this is committed, and it comes again
            return Ok(copied);
        }
        for record in &records[..done] {
            if let Err(error) =
                consumer.store_offset(record.topic(), record.partition(), record.offset())
            {
                tracing::warn!(%error, partition = record.partition(), "the partition is another bridge's by now; its last records come again");
            }
        }
        if done > 0
            && let Err(error) = consumer.commit_consumer_state(CommitMode::Sync)
        {
            tracing::warn!(%error, "not committed; the next commit says it, or these records come again");
        }
        copied += done as u64;
        if let Some(why) = wrong {
            return Err(why);
        }
    }
    Ok(copied)
}

/// What is there, up to a handful; waits for the first.
fn read(
    consumer: &BaseConsumer<Quiet>,
    errors: &mut Repeats<()>,
) -> Result<Vec<OwnedMessage>, KafkaError> {
    let mut records = Vec::new();
    while records.len() < HANDFUL {
        let wait = if records.is_empty() {
            POLL
        } else {
            Duration::ZERO
        };
        match consumer.poll(wait) {
            Some(Ok(record)) => {
                if let Some(errors) = errors.over(&()) {
                    tracing::info!(errors, "Kafka is read again");
                }
                records.push(record.detach());
            }
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error),
            Some(Err(error)) => {
                if let Some(times) = errors.failed(Instant::now(), (), &error.to_string()) {
                    tracing::warn!(%error, times, "Kafka cannot be read just now; it is tried until it can");
                }
                std::thread::sleep(POLL);
            }
            None => break,
        }
    }
    Ok(records)
}
