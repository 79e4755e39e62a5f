//! Reads messages and appends them to chunks.

use std::time::{Duration, Instant};

use event_sources::stream::Partition;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};

use super::{CHUNK_BYTES, Poller};
use crate::sources::kafka::buffer::Chunk;
use crate::sources::kafka::consumer::{ConsumerEvent, MappingContext, partition};
use crate::sources::kafka::consumer_failure::ConsumerFailure;
use crate::sources::kafka::encode;
use crate::sources::kafka::start_offsets::PATIENCE;

impl Poller<'_> {
    /// Reads from each partition in turn, one chunk at most: the driver may pause the partition
    /// after it. Returns the number of messages.
    pub(super) fn round(&mut self) -> Result<usize, ConsumerFailure> {
        let queues = std::mem::take(&mut self.queues);
        let mut taken = 0;
        let mut read = || {
            for (partition, queue) in &queues {
                if self.paused.contains(partition) {
                    continue;
                }
                let before = taken;
                for message in
                    (0..self.chunk_records).map_while(|_| queue.fetched.poll(Duration::ZERO))
                {
                    taken += 1;
                    if self.take(*partition, &queue.start, message)? {
                        break;
                    }
                }
                let empty = self.empty.entry(*partition).or_default();
                *empty = if taken > before {
                    0
                } else {
                    empty.saturating_add(1)
                };
            }
            Ok(taken)
        };
        let read = read();
        self.queues = queues;
        read
    }

    /// The position is not in the log: another consumer has to determine where the partition
    /// continues.
    fn position_invalid(&mut self, partition: Partition) -> Result<(), ConsumerFailure> {
        self.send_chunk(partition)?;
        let topic = &self.context.mapping.topics[partition.topic];
        let number = partition.number;
        let position = self.next.get(&partition).map_or_else(String::new, |next| {
            format!(" at offset {next}, the next to read")
        });
        if let Some(next) = self.next.get(&partition)
            && let Ok((start, end)) = self.consumer.fetch_watermarks(topic, number, PATIENCE)
            && (start..=end).contains(next)
        {
            self.context
                .known
                .rewritten()
                .insert((topic.clone(), number));
        }
        let why = format!(
            "{topic}-{number} cannot be read{position}: its log does not have it any more. Another \
             consumer determines where it continues"
        );
        tracing::warn!(
            mapping = self.context.mapping.id,
            topic,
            partition = number,
            "{why}, after the records in memory are done"
        );
        self.context
            .progress
            .set_problem(Some(partition), Some(why.clone()));
        self.send(ConsumerEvent::InvalidPositions(vec![partition], why))
    }

    /// Appends a message to its partition's chunk. Sends a full chunk, then returns true. `start`:
    /// the partition's [`encode::record_start`].
    fn take(
        &mut self,
        partition: Partition,
        start: &[u8],
        message: KafkaResult<BorrowedMessage<'_>>,
    ) -> Result<bool, ConsumerFailure> {
        let Some(message) = self.checked(Some(partition), message)? else {
            return Ok(false);
        };
        // the offsets of a chunk increase; a log that is replaced within one fetch starts a new
        // chunk
        let again = self
            .open
            .get(&partition)
            .and_then(Chunk::end)
            .is_some_and(|last| last >= message.offset());
        if again {
            self.send_chunk(partition)?;
        }
        let context = self.context;
        let limit = self.chunk_records;
        let chunk = self.chunk(partition);
        if !append(chunk, start, &message, context) {
            context
                .progress
                .count(|status| status.records_filtered += 1);
        }
        let full = chunk.bytes() >= CHUNK_BYTES || chunk.len() >= limit;
        if full {
            self.send_chunk(partition)?;
        }
        Ok(full)
    }

    /// Reports an error and returns `None`. `partition`: whose queue it is from; `None`: the
    /// consumer's.
    fn checked<'m>(
        &mut self,
        partition: Option<Partition>,
        message: KafkaResult<BorrowedMessage<'m>>,
    ) -> Result<Option<BorrowedMessage<'m>>, ConsumerFailure> {
        let error = match message {
            Ok(message) => {
                self.errors.resolved(partition, self.context);
                return Ok(Some(message));
            }
            Err(error) => error,
        };
        if let Some((code, why)) = self.consumer.client().fatal_error() {
            return Err(match code {
                RDKafkaErrorCode::FencedInstanceId => ConsumerFailure::Fenced,
                code => ConsumerFailure::Fatal { code, why },
            });
        }
        if let Some(partition) = partition
            && error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset)
        {
            self.position_invalid(partition)?;
            return Ok(None);
        }
        self.errors
            .failed(Instant::now(), partition, &error, self.consumer);
        Ok(None)
    }

    /// Handles the consumer's own queue: errors, and records that arrived before their partition's
    /// queue.
    pub(super) fn take_own(
        &mut self,
        message: KafkaResult<BorrowedMessage<'_>>,
    ) -> Result<(), ConsumerFailure> {
        let Some(message) = self.checked(None, message)? else {
            return Ok(());
        };
        let Some(partition) = partition(
            &self.context.mapping.topics,
            message.topic(),
            message.partition(),
        ) else {
            return Ok(());
        };
        let start = encode::record_start(message.topic(), message.partition());
        self.take(partition, &start, Ok(message)).map(drop)
    }
}

/// Appends a message to its chunk. Of a message that the filters drop it keeps the offset, and
/// returns false.
fn append(
    chunk: &mut Chunk,
    start: &[u8],
    message: &BorrowedMessage<'_>,
    context: &MappingContext,
) -> bool {
    if context
        .mapping
        .filters
        .as_ref()
        .is_some_and(|filters| !filters.keep(message.payload()))
    {
        chunk.skip(message.offset());
        return false;
    }
    let headers = kafka_headers::headers(message).unwrap_or_else(|error| {
        tracing::error!(
            alarm = "record_headers_malformed",
            mapping = context.mapping.id,
            topic = message.topic(),
            partition = message.partition(),
            offset = message.offset(),
            "the headers of a record break Kafka's format ({error}); the function receives the \
             record without them"
        );
        Vec::new()
    });
    let time = message.timestamp().to_millis().unwrap_or(-1);
    chunk.push(message.offset(), time, |out| {
        encode::record(start, message, &headers, out);
    });
    true
}
