//! The batch of one event: a buffer of decoded bytes, and ranges of it.

use std::collections::BTreeMap;
use std::ops::Range;

use tracing::Span;

use super::record::{KafkaRecord, Payload};
use crate::{BatchItemFailure, BatchResponse, EventBatch, KafkaItemIdentifier};

/// Part of [`KafkaBatch::bytes`].
pub(super) type ByteRange = Range<usize>;

/// A key or value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Bytes(ByteRange),
    Null,
    Bad {
        raw: ByteRange,
        reason: &'static str,
    },
}

/// A header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeaderSpans {
    pub(super) name: ByteRange,
    pub(super) value: ByteRange,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordSpans {
    /// Index into [`KafkaBatch::topics`].
    pub(super) topic: usize,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp_ms: Option<i64>,
    pub(super) key: Content,
    pub(super) value: Content,
    /// Range of [`KafkaBatch::headers`].
    pub(super) headers: Range<usize>,
}

/// The records of one Kafka event, in its order: one partition after the other, ascending by
/// offset.
///
/// Deserialised from the event.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KafkaBatch {
    pub(super) bytes: Vec<u8>,
    pub(super) topics: Vec<String>,
    pub(super) headers: Vec<HeaderSpans>,
    pub(super) entries: Vec<RecordSpans>,
}

impl KafkaBatch {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The records.
    pub fn records(&self) -> impl ExactSizeIterator<Item = KafkaRecord<'_>> {
        self.entries.iter().map(|entry| self.view(entry))
    }

    /// The record of an index, from 0.
    pub fn get(&self, index: usize) -> Option<KafkaRecord<'_>> {
        self.entries.get(index).map(|entry| self.view(entry))
    }

    fn view<'a>(&'a self, entry: &'a RecordSpans) -> KafkaRecord<'a> {
        KafkaRecord {
            topic: &self.topics[entry.topic],
            partition: entry.partition,
            offset: entry.offset,
            timestamp_ms: entry.timestamp_ms,
            key: self.payload(&entry.key),
            value: self.payload(&entry.value),
            bytes: &self.bytes,
            headers: &self.headers[entry.headers.clone()],
        }
    }

    fn payload(&self, content: &Content) -> Payload<'_> {
        match content {
            Content::Bytes(span) => Payload::Bytes(&self.bytes[span.clone()]),
            Content::Null => Payload::Null,
            Content::Bad { raw, reason } => Payload::Bad {
                raw: &self.bytes[raw.clone()],
                reason,
            },
        }
    }
}

/// A sequence is a partition. The response has, for each partition, the lowest offset that failed.
impl EventBatch for KafkaBatch {
    type Identifier = KafkaItemIdentifier;
    type Record<'a> = KafkaRecord<'a>;

    fn size(&self) -> usize {
        self.len()
    }

    fn record(&self, index: usize) -> KafkaRecord<'_> {
        self.view(&self.entries[index])
    }

    fn sequences(&self) -> Vec<Vec<usize>> {
        let mut partitions: BTreeMap<(&str, i32), Vec<usize>> = BTreeMap::new();
        for (index, record) in self.records().enumerate() {
            partitions
                .entry((record.topic, record.partition))
                .or_default()
                .push(index);
        }
        partitions.into_values().collect()
    }

    fn span(&self, index: usize) -> Span {
        let KafkaRecord {
            topic,
            partition,
            offset,
            ..
        } = self.record(index);
        tracing::info_span!("record", topic, partition, offset)
    }

    fn response(&self, failed: impl Iterator<Item = usize>) -> BatchResponse {
        let mut lowest: BTreeMap<(&str, i32), i64> = BTreeMap::new();
        for record in failed.filter_map(|index| self.get(index)) {
            let offset = lowest
                .entry((record.topic, record.partition))
                .or_insert(record.offset);
            *offset = record.offset.min(*offset);
        }
        let item = |((topic, partition), offset)| BatchItemFailure {
            identifier: KafkaItemIdentifier {
                partition: format!("{topic}-{partition}"),
                offset,
            },
        };
        BatchResponse {
            items: lowest.into_iter().map(item).collect(),
        }
    }
}
