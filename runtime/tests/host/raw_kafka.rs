//! A producer without rdkafka, for header names and values of any bytes.
//!
//! Formats: "Kafka protocol guide" (Produce, version 3) and "Message Format" (record batch, magic
//! 2) in Kafka's documentation.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime};

/// Name and value of a header.
pub(crate) type Header<'a> = (&'a [u8], Option<&'a [u8]>);

const PRODUCE: i16 = 0;
const PRODUCE_VERSION: i16 = 3;

/// Errors of a new topic: unknown partition, no leader yet, not the leader yet.
const NOT_YET: [i16; 3] = [3, 5, 6];

const PATIENCE: Duration = Duration::from_secs(30);

/// Appends one record without a key to a partition, with `acks=all`. Returns its offset. `servers`:
/// the leader of the partition first.
///
/// Blocks until the broker has answered.
pub(crate) fn produce(
    servers: &str,
    topic: &str,
    partition: i32,
    value: &[u8],
    headers: &[Header<'_>],
) -> i64 {
    let request = request(topic, partition, &batch(&record(Some(value), headers)));
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (error, offset) = send(servers.split(',').next().unwrap(), &request);
        match error {
            0 => return offset,
            error if NOT_YET.contains(&error) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(50));
            }
            error => panic!("{topic}-{partition} at {servers}: Kafka's error code {error}"),
        }
    }
}

/// Sends the request. Returns the partition's error code and the record's offset.
fn send(server: &str, request: &[u8]) -> (i16, i64) {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&prefixed(request)).unwrap();
    let mut size = [0; 4];
    stream.read_exact(&mut size).unwrap();
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(size)).unwrap()];
    stream.read_exact(&mut answer).unwrap();
    // correlation id, one topic, its name, one partition, its number
    let name = usize::from(u16::from_be_bytes(answer[8..10].try_into().unwrap()));
    let at = 10 + name + 4 + 4;
    let error = i16::from_be_bytes(answer[at..at + 2].try_into().unwrap());
    (
        error,
        i64::from_be_bytes(answer[at + 2..at + 10].try_into().unwrap()),
    )
}

fn request(topic: &str, partition: i32, batch: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(PRODUCE.to_be_bytes());
    out.extend(PRODUCE_VERSION.to_be_bytes());
    out.extend(7_i32.to_be_bytes()); // correlation id
    text("raw", &mut out); // client id
    out.extend((-1_i16).to_be_bytes()); // no transaction
    out.extend((-1_i16).to_be_bytes()); // acks=all
    out.extend(30_000_i32.to_be_bytes());
    out.extend(1_i32.to_be_bytes());
    text(topic, &mut out);
    out.extend(1_i32.to_be_bytes());
    out.extend(partition.to_be_bytes());
    out.extend(prefixed(batch));
    out
}

/// A record batch of this one record.
fn batch(record: &[u8]) -> Vec<u8> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis() as i64;
    let mut checked = Vec::new();
    checked.extend(0_i16.to_be_bytes()); // attributes: not compressed, time of creation
    checked.extend(0_i32.to_be_bytes()); // last offset, less the first
    checked.extend(now.to_be_bytes());
    checked.extend(now.to_be_bytes());
    checked.extend((-1_i64).to_be_bytes()); // no producer id
    checked.extend((-1_i16).to_be_bytes());
    checked.extend((-1_i32).to_be_bytes());
    checked.extend(1_i32.to_be_bytes());
    checked.extend(record);
    let mut after_length = Vec::new();
    after_length.extend((-1_i32).to_be_bytes()); // leader's epoch: the broker sets it
    after_length.push(2);
    after_length.extend(crc32c(&checked).to_be_bytes());
    after_length.extend(checked);
    let mut out = 0_i64.to_be_bytes().to_vec();
    out.extend(prefixed(&after_length));
    out
}

fn record(value: Option<&[u8]>, headers: &[Header<'_>]) -> Vec<u8> {
    let mut body = vec![0]; // attributes
    varint(0, &mut body); // time, less the batch's
    varint(0, &mut body); // offset, less the batch's
    bytes(None, &mut body); // key
    bytes(value, &mut body);
    varint(headers.len() as i64, &mut body);
    for (name, value) in headers {
        bytes(Some(name), &mut body);
        bytes(*value, &mut body);
    }
    let mut out = Vec::new();
    varint(body.len() as i64, &mut out);
    out.extend(body);
    out
}

fn prefixed(bytes: &[u8]) -> Vec<u8> {
    let mut out = i32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    out.extend(bytes);
    out
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.extend(i16::try_from(text.len()).unwrap().to_be_bytes());
    out.extend(text.as_bytes());
}

/// Length and content; -1 for null.
fn bytes(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    varint(bytes.map_or(-1, |bytes| bytes.len() as i64), out);
    out.extend(bytes.unwrap_or_default());
}

/// Zigzag, then seven bits a byte, the lowest first.
fn varint(number: i64, out: &mut Vec<u8>) {
    let mut left = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while left >= 0x80 {
        out.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

/// CRC-32C (Castagnoli), bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

#[test]
fn a_crc_is_castagnolis() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}
