//! Encoded records in memory until they are done. Retries, bisected batches and size limits are
//! slices.

use std::collections::{BTreeMap, VecDeque};

use event_sources::stream::{Offset, Partition, Record, Slice};

use super::encode::{EVENT_END, PARTITION_END, partition_start};

/// Position of a record in its chunk.
#[derive(Debug, Clone, Copy)]
struct Span {
    offset: Offset,
    start: usize,
    end: usize,
    time: i64,
}

impl Span {
    fn record(&self) -> Record {
        Record {
            offset: self.offset,
            size: self.end - self.start,
            time: self.time,
        }
    }
}

/// Consecutive encoded records of a partition, separated by commas.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    /// Last offset that the filters dropped.
    skipped: Option<Offset>,
}

impl Chunk {
    /// A chunk that reuses the memory of `bytes`.
    pub(super) fn reusing(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        Self {
            bytes,
            spans: Vec::new(),
            skipped: None,
        }
    }

    /// Appends a record that `encode` writes.
    pub(super) fn push(&mut self, offset: Offset, time: i64, encode: impl FnOnce(&mut Vec<u8>)) {
        if !self.spans.is_empty() {
            self.bytes.push(b',');
        }
        let start = self.bytes.len();
        encode(&mut self.bytes);
        self.spans.push(Span {
            offset,
            start,
            end: self.bytes.len(),
            time,
        });
    }

    /// Notes a record that the filters dropped.
    pub(super) fn skip(&mut self, offset: Offset) {
        self.skipped = Some(offset);
    }

    /// Last offset that the filters dropped.
    pub(super) fn skipped(&self) -> Option<Offset> {
        self.skipped
    }

    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Offset of the last record, dropped or not.
    pub(super) fn end(&self) -> Option<Offset> {
        self.last().max(self.skipped)
    }

    fn last(&self) -> Option<Offset> {
        self.spans.last().map(|span| span.offset)
    }

    fn position_after(&self, offset: Offset) -> usize {
        self.spans.partition_point(|span| span.offset <= offset)
    }

    fn between(&self, first: Offset, last: Offset) -> Option<&[u8]> {
        let from = self.spans.partition_point(|span| span.offset < first);
        let to = self.position_after(last);
        (from < to).then(|| &self.bytes[self.spans[from].start..self.spans[to - 1].end])
    }

    fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The effect of an arriving chunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    /// These records are new.
    Records(Vec<Record>),
    /// The log was truncated or recreated: it has other records at known offsets. These are all
    /// records in memory: those before the difference that are not done, then the new ones.
    Reset(Vec<Record>),
}

#[derive(Debug, Default)]
struct Held {
    chunks: VecDeque<Chunk>,
    last: Option<Offset>,
    released: Option<Offset>,
}

impl Held {
    /// The same record is in memory and not done: it was fetched again.
    fn has(&self, chunk: &Chunk, span: &Span) -> bool {
        let held = self
            .chunks
            .iter()
            .find_map(|held| held.between(span.offset, span.offset));
        self.released.is_none_or(|released| span.offset > released)
            && held == Some(&chunk.bytes[span.start..span.end])
    }

    /// Removes everything from `first` on. Returns the earlier records that are not done.
    fn cut(&mut self, first: Offset) -> Vec<Record> {
        if self.released.is_some_and(|released| released >= first) {
            *self = Self::default();
            return Vec::new();
        }
        for chunk in &mut self.chunks {
            let kept = chunk.position_after(first - 1);
            chunk.spans.truncate(kept);
        }
        self.chunks.retain(|chunk| !chunk.spans.is_empty());
        self.last = self.chunks.back().and_then(Chunk::last);
        let released = self.released.unwrap_or(Offset::MIN);
        let held = self
            .chunks
            .iter()
            .flat_map(|chunk| &chunk.spans)
            .filter(|span| span.offset > released);
        held.map(Span::record).collect()
    }
}

/// The records of all partitions of one mapping.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    partitions: BTreeMap<Partition, Held>,
}

impl Buffer {
    /// Adds a chunk. Records that are in memory already are dropped; if the log now has others at
    /// their offsets, those replace them.
    pub(super) fn accept(&mut self, partition: Partition, mut chunk: Chunk) -> Accepted {
        let held = self.partitions.entry(partition).or_default();
        let first = chunk.spans.first().map(|span| span.offset);
        let end = held.last.max(held.released).unwrap_or(Offset::MIN);
        let overlap = chunk.position_after(end);
        let cut = first.filter(|_| {
            !chunk.spans[..overlap]
                .iter()
                .all(|span| held.has(&chunk, span))
        });
        let mut records = Vec::new();
        if let Some(first) = cut {
            records = held.cut(first);
        } else {
            chunk.spans.drain(..overlap);
        }
        records.extend(chunk.spans.iter().map(Span::record));
        if let Some(last) = chunk.last() {
            held.last = Some(last);
            held.chunks.push_back(chunk);
        }
        if cut.is_some() {
            Accepted::Reset(records)
        } else {
            Accepted::Records(records)
        }
    }

    /// Releases the records up to `through`. Returns their number, and the memory of empty chunks.
    pub(super) fn release(
        &mut self,
        partition: Partition,
        through: Offset,
    ) -> (usize, Vec<Vec<u8>>) {
        let Some(held) = self.partitions.get_mut(&partition) else {
            return (0, Vec::new());
        };
        let before = held.released.unwrap_or(Offset::MIN);
        held.released = Some(through.max(before));
        let records = held
            .chunks
            .iter()
            .take_while(|chunk| {
                chunk
                    .spans
                    .first()
                    .is_some_and(|span| span.offset <= through)
            })
            .map(|chunk| chunk.position_after(through) - chunk.position_after(before))
            .sum();
        let mut free = Vec::new();
        while held
            .chunks
            .front()
            .and_then(Chunk::last)
            .is_some_and(|last| last <= through)
        {
            free.extend(held.chunks.pop_front().map(Chunk::into_bytes));
        }
        (records, free)
    }

    /// Removes revoked partitions.
    pub(super) fn forget(&mut self, partitions: &[Partition]) {
        self.partitions
            .retain(|partition, _| !partitions.contains(partition));
    }

    /// The event of one invocation.
    pub(super) fn event(&self, envelope: &[u8], topics: &[String], slices: &[Slice]) -> Vec<u8> {
        let parts: Vec<(Slice, Vec<&[u8]>)> = slices
            .iter()
            .map(|slice| (*slice, self.parts(slice)))
            .collect();
        let size: usize = parts
            .iter()
            .flat_map(|(_, parts)| parts)
            .map(|part| part.len() + 1)
            .sum();
        let mut out = Vec::with_capacity(envelope.len() + size + slices.len() * 300);
        out.extend_from_slice(envelope);
        for (index, (slice, parts)) in parts.iter().enumerate() {
            partition_start(
                &topics[slice.partition.topic],
                slice.partition.number,
                index == 0,
                &mut out,
            );
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(part);
            }
            out.push(PARTITION_END);
        }
        out.extend_from_slice(EVENT_END);
        out
    }

    /// The records of a slice, each as its JSON and its time.
    pub(super) fn records(&self, slice: &Slice) -> Vec<(&[u8], i64)> {
        let chunks = self.chunks(slice.partition);
        let all = chunks.flat_map(|chunk| chunk.spans.iter().map(move |span| (chunk, span)));
        let wanted = all.filter(|(_, span)| (slice.first..=slice.last).contains(&span.offset));
        wanted
            .map(|(chunk, span)| (&chunk.bytes[span.start..span.end], span.time))
            .collect()
    }

    fn parts(&self, slice: &Slice) -> Vec<&[u8]> {
        self.chunks(slice.partition)
            .filter_map(|chunk| chunk.between(slice.first, slice.last))
            .collect()
    }

    fn chunks(&self, partition: Partition) -> impl Iterator<Item = &Chunk> {
        let held = self.partitions.get(&partition);
        held.into_iter().flat_map(|held| &held.chunks)
    }
}
