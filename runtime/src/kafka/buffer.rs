//! Encoded records, held until they are done: a retry, a part of a batch and a limit on bytes are all just slicing.

use std::collections::{BTreeMap, VecDeque};

use super::encode::{EVENT_END, PARTITION_END, partition_start};
use event_sources::stream::{Offset, Partition, Record, Slice};

/// Where a record lies in its chunk.
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

/// Records of one partition that were encoded in one go, separated by commas.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    /// Last offset that the filters dropped.
    skipped: Option<Offset>,
}

impl Chunk {
    /// A chunk that writes into `bytes` (emptied first): buffers are used again and again.
    pub(super) fn reusing(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        Self {
            bytes,
            spans: Vec::new(),
            skipped: None,
        }
    }

    /// Appends one record, written by `encode`.
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

    /// A record that the filters drop.
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

/// What became of an arriving chunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    /// These records are new.
    Records(Vec<Record>),
    /// The log was cut or begun anew: it has other records where some are held or done already. These are all that count
    /// now: what was held and not done before the cut, then the new ones.
    Reset(Vec<Record>),
}

#[derive(Debug, Default)]
struct Held {
    chunks: VecDeque<Chunk>,
    last: Option<Offset>,
    released: Option<Offset>,
}

impl Held {
    /// The very record that `chunk` has at `span` is held and not done: it was fetched again.
    fn has(&self, chunk: &Chunk, span: &Span) -> bool {
        let held = self
            .chunks
            .iter()
            .find_map(|held| held.between(span.offset, span.offset));
        self.released.is_none_or(|released| span.offset > released)
            && held == Some(&chunk.bytes[span.start..span.end])
    }

    /// Forgets everything from `first` on. Returns what is held and not done before it.
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
    /// Takes a chunk. Records that are held already, and were fetched again, are left out; where the log now has
    /// others at their offsets, those take their place.
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

    /// Frees everything up to `through`. Returns how many records that were, and the memory of chunks that are empty now.
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

    /// Forgets partitions that were given up.
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
        let chunks = self
            .partitions
            .get(&slice.partition)
            .map(|held| &held.chunks);
        let all = chunks
            .into_iter()
            .flatten()
            .flat_map(|chunk| chunk.spans.iter().map(move |span| (chunk, span)));
        let wanted = all.filter(|(_, span)| (slice.first..=slice.last).contains(&span.offset));
        wanted
            .map(|(chunk, span)| (&chunk.bytes[span.start..span.end], span.time))
            .collect()
    }

    fn parts(&self, slice: &Slice) -> Vec<&[u8]> {
        let chunks = self
            .partitions
            .get(&slice.partition)
            .map(|held| &held.chunks);
        chunks
            .into_iter()
            .flatten()
            .filter_map(|chunk| chunk.between(slice.first, slice.last))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Partition = Partition {
        topic: 0,
        number: 2,
    };

    fn chunk(offsets: &[Offset]) -> Chunk {
        let mut chunk = Chunk::default();
        for offset in offsets {
            chunk.push(*offset, 0, |out| {
                out.extend_from_slice(offset.to_string().as_bytes());
            });
        }
        chunk
    }

    fn offsets(accepted: &Accepted) -> Vec<Offset> {
        let (Accepted::Records(records) | Accepted::Reset(records)) = accepted;
        records.iter().map(|record| record.offset).collect()
    }

    fn event(buffer: &Buffer, first: Offset, last: Offset) -> String {
        let slice = Slice {
            partition: P,
            first,
            last,
            records: 0,
        };
        String::from_utf8(buffer.event(b"{\"records\":{", &["t".to_owned()], &[slice])).unwrap()
    }

    #[test]
    fn any_run_of_records_across_chunks_and_gaps_is_one_array() {
        let mut buffer = Buffer::default();
        buffer.accept(P, chunk(&[1, 2, 5]));
        buffer.accept(P, chunk(&[8, 9]));
        assert_eq!(event(&buffer, 2, 8), r#"{"records":{"t-2":[2,5,8]}}"#);
        assert_eq!(event(&buffer, 1, 9), r#"{"records":{"t-2":[1,2,5,8,9]}}"#);
        assert_eq!(event(&buffer, 9, 9), r#"{"records":{"t-2":[9]}}"#);
    }

    #[test]
    fn records_fetched_twice_are_held_once() {
        let mut buffer = Buffer::default();
        buffer.accept(P, chunk(&[4, 5, 6]));
        assert_eq!(offsets(&buffer.accept(P, chunk(&[5, 6, 7]))), [7]);
        assert_eq!(event(&buffer, 4, 7), r#"{"records":{"t-2":[4,5,6,7]}}"#);
    }

    #[test]
    fn a_log_that_begins_anew_replaces_what_was_held() {
        let mut buffer = Buffer::default();
        buffer.accept(P, chunk(&[4, 5, 6]));
        buffer.release(P, 4);
        let accepted = buffer.accept(P, chunk(&[0, 1]));
        assert!(matches!(accepted, Accepted::Reset(_)));
        assert_eq!(offsets(&accepted), [0, 1]);
        assert_eq!(event(&buffer, 0, 9), r#"{"records":{"t-2":[0,1]}}"#);
    }

    fn rewritten(offsets: &[Offset]) -> Chunk {
        let mut chunk = Chunk::default();
        for offset in offsets {
            chunk.push(*offset, 1, |out| {
                out.extend_from_slice(format!("\"new {offset}\"").as_bytes());
            });
        }
        chunk
    }

    #[test]
    fn a_log_that_was_cut_keeps_what_is_held_before_the_cut_and_takes_the_new_records_behind_it() {
        let mut buffer = Buffer::default();
        buffer.accept(P, chunk(&[3, 4, 5]));
        buffer.accept(P, chunk(&[6, 7]));
        buffer.release(P, 3);
        let accepted = buffer.accept(P, rewritten(&[5, 6]));
        assert!(matches!(accepted, Accepted::Reset(_)));
        assert_eq!(offsets(&accepted), [4, 5, 6]);
        assert_eq!(
            event(&buffer, 4, 9),
            r#"{"records":{"t-2":[4,"new 5","new 6"]}}"#
        );
        assert_eq!(buffer.release(P, 6).0, 3);
    }

    #[test]
    fn a_log_begun_anew_while_nothing_was_done_loses_none_of_its_records() {
        let mut buffer = Buffer::default();
        buffer.accept(P, chunk(&[4, 5, 6]));
        assert_eq!(offsets(&buffer.accept(P, rewritten(&[0, 1]))), [0, 1]);
        assert_eq!(offsets(&buffer.accept(P, rewritten(&[2, 3, 4]))), [2, 3, 4]);
        assert_eq!(
            event(&buffer, 0, 9),
            r#"{"records":{"t-2":["new 0","new 1","new 2","new 3","new 4"]}}"#
        );
    }

    #[test]
    fn memory_comes_back_when_a_whole_chunk_is_done() {
        let mut buffer = Buffer::default();
        buffer.accept(P, chunk(&[1, 2]));
        buffer.accept(P, chunk(&[3]));
        assert_eq!(buffer.release(P, 1), (1, vec![]));
        let (records, memory) = buffer.release(P, 3);
        assert_eq!((records, memory.len()), (2, 2));
    }
}
