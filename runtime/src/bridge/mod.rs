//! `usher bridge` copies the records of a Kafka topic to an SQS queue.
//!
//! The consumer reads up to 500 records. `messages` converts them and groups them into calls;
//! `send` repeats each call until the queue has accepted all of it; then the offsets are committed.
//! `gaps` reports records that were deleted before the bridge read them.
//!
//! Guarantees:
//! - Each record is copied at least once. Committed records are not copied again.
//! - A FIFO queue receives the records of a key in order, since the key is the message group, and
//!   deduplicates them for five minutes.
//! - A shutdown completes the records that were read.
//! - A record that no queue accepts stops the bridge, which names its offset. It is never skipped.

mod error;
mod gaps;
mod messages;
mod send;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message as _, OwnedMessage};
use tokio::runtime::Handle;

use crate::observation::Repeats;
use crate::sources::kafka::SilentContext;
use crate::sources::sqs::Sqs;
pub use error::{BridgeError, RecordError};
use gaps::GapDetector;
use messages::message;

/// Maximum of records that are read before they are sent and committed.
const MAX_RECORDS: usize = 500;

/// How long a poll waits for the first record.
const POLL: Duration = Duration::from_millis(200);

/// Source and target of a bridge.
#[derive(Debug, Clone)]
pub struct BridgeRoute {
    /// `host:port,...`
    pub servers: String,
    /// Name of an existing topic.
    pub topic: String,
    /// Consumer group that commits the offsets. A new group begins with the oldest record.
    pub group: String,
    /// The SQS server.
    pub sqs: Sqs,
    /// Name of an existing queue.
    pub queue: String,
}

/// Copies until `stop` is true and returns the number of copied records. Blocks; `runtime` runs the
/// requests to SQS.
///
/// # Errors
/// The topic or queue does not exist, or a record cannot become a message.
pub fn run(
    route: &BridgeRoute,
    runtime: &Handle,
    stop: &Arc<AtomicBool>,
) -> Result<u64, BridgeError> {
    let unusable = |error: KafkaError| BridgeError::Topic {
        topic: route.topic.clone(),
        servers: route.servers.clone(),
        error: Box::new(error),
    };
    let consumer: BaseConsumer<SilentContext> = ClientConfig::new()
        .set("bootstrap.servers", &route.servers)
        .set("group.id", &route.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .set("allow.auto.create.topics", "false")
        .create_with_context(SilentContext::default())
        .map_err(unusable)?;
    consumer.subscribe(&[&route.topic]).map_err(unusable)?;
    let fifo = sam_template::model::sqs::is_fifo(&route.queue);
    let mut copied = 0;
    let mut errors = Repeats::default();
    let mut gaps = GapDetector::default();
    while !stop.load(Ordering::Relaxed) {
        let records = read(&consumer, &mut errors).map_err(unusable)?;
        let Some(last) = records.last() else { continue };
        for record in &records {
            gaps.check(&consumer, record);
        }
        // the records before one that cannot be sent are copied
        let mut messages = Vec::with_capacity(records.len());
        let mut unsendable = None;
        for record in &records {
            match message(record, fifo) {
                Ok(message) => messages.push(message),
                Err(why) => {
                    unsendable = Some(why);
                    break;
                }
            }
        }
        let done = messages.len();
        tracing::debug!(records = done, partition = last.partition(), "sending");
        if !runtime.block_on(send::send_all(&route.sqs, &route.queue, messages, stop))? {
            // stopped before the queue responded: nothing is committed, the next run sends it again
            return Ok(copied);
        }
        for record in &records[..done] {
            if let Err(error) =
                consumer.store_offset(record.topic(), record.partition(), record.offset())
            {
                tracing::warn!(
                    %error,
                    partition = record.partition(),
                    "another bridge has the partition now and copies its last records again"
                );
            }
        }
        if done > 0
            && let Err(error) = consumer.commit_consumer_state(CommitMode::Sync)
        {
            tracing::warn!(
                %error,
                "the commit failed; the next one includes these records, or they are copied again"
            );
        }
        copied += done as u64;
        if let Some(why) = unsendable {
            return Err(why.into());
        }
    }
    Ok(copied)
}

/// Reads the available records, up to [`MAX_RECORDS`].
fn read(
    consumer: &BaseConsumer<SilentContext>,
    errors: &mut Repeats<()>,
) -> Result<Vec<OwnedMessage>, KafkaError> {
    let mut records = Vec::new();
    while records.len() < MAX_RECORDS {
        let wait = if records.is_empty() {
            POLL
        } else {
            Duration::ZERO
        };
        match consumer.poll(wait) {
            Some(Ok(record)) => {
                if let Some(errors) = errors.over(&()) {
                    tracing::info!(errors, "the consumer reads again");
                }
                records.push(record.detach());
            }
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => return Err(error),
            Some(Err(error)) => {
                if let Some(times) = errors.failed(Instant::now(), (), &error.to_string()) {
                    tracing::warn!(%error, times, "the consumer cannot read; the bridge retries");
                }
                std::thread::sleep(POLL);
            }
            None => break,
        }
    }
    Ok(records)
}
