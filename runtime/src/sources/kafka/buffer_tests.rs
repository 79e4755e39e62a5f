//! Chunks, events and logs that were truncated.

use event_sources::stream::{Offset, Partition, Slice};

use super::buffer::{Accepted, Buffer, Chunk};

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
fn records_across_chunks_and_gaps_are_one_array() {
    let mut buffer = Buffer::default();
    buffer.accept(P, chunk(&[1, 2, 5]));
    buffer.accept(P, chunk(&[8, 9]));
    assert_eq!(event(&buffer, 2, 8), r#"{"records":{"t-2":[2,5,8]}}"#);
    assert_eq!(event(&buffer, 1, 9), r#"{"records":{"t-2":[1,2,5,8,9]}}"#);
    assert_eq!(event(&buffer, 9, 9), r#"{"records":{"t-2":[9]}}"#);
}

#[test]
fn records_fetched_twice_are_kept_once() {
    let mut buffer = Buffer::default();
    buffer.accept(P, chunk(&[4, 5, 6]));
    assert_eq!(offsets(&buffer.accept(P, chunk(&[5, 6, 7]))), [7]);
    assert_eq!(event(&buffer, 4, 7), r#"{"records":{"t-2":[4,5,6,7]}}"#);
}

#[test]
fn a_recreated_log_replaces_records_in_memory() {
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
fn a_truncated_log_keeps_earlier_records() {
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
fn a_recreated_log_loses_no_new_records() {
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
fn memory_of_a_done_chunk_is_returned() {
    let mut buffer = Buffer::default();
    buffer.accept(P, chunk(&[1, 2]));
    buffer.accept(P, chunk(&[3]));
    assert_eq!(buffer.release(P, 1), (1, vec![]));
    let (records, memory) = buffer.release(P, 3);
    assert_eq!((records, memory.len()), (2, 2));
}
