//! Record batches in the log of a topic. A producer sends each batch in a produce request, alone or
//! with batches of other partitions.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Bytes of a batch's head: offset and length, which the length does not include.
const PREFIX: usize = 12;
/// Bytes of a batch's head as far as the count of its records.
const HEAD: usize = 61;

/// The contents of a topic's log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TopicLog {
    pub batches: u64,
    pub records: u64,
    pub bytes: u64,
}

impl TopicLog {
    /// The log of a topic, in the files that a broker process of this machine holds open. `None` if
    /// they cannot be read.
    pub(crate) fn of(broker: u32, topic: &str) -> Option<Self> {
        let files = segments(broker, topic)?;
        let mut log = Self::default();
        for file in &files {
            log.add(file).ok()?;
        }
        (!files.is_empty()).then_some(log)
    }

    fn add(&mut self, file: &Path) -> Result<()> {
        let reader =
            File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
        self.add_batches(BufReader::new(reader))
    }

    fn add_batches(&mut self, mut reader: impl Read) -> Result<()> {
        let mut head = [0; HEAD];
        loop {
            match reader.read_exact(&mut head) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            let number = |from: usize| {
                let four = head[from..from + 4].try_into().unwrap_or_default();
                u32::from_be_bytes(four)
            };
            let length = u64::from(number(8));
            if length == 0 {
                return Ok(()); // the rest of the file is reserved
            }
            self.batches += 1;
            self.records += u64::from(number(HEAD - 4));
            self.bytes += length + PREFIX as u64;
            let rest = (length + PREFIX as u64).saturating_sub(HEAD as u64);
            std::io::copy(&mut reader.by_ref().take(rest), &mut std::io::sink())?;
        }
    }
}

/// The segments of a topic: `.../TOPIC-PARTITION/OFFSET.log`.
fn segments(broker: u32, topic: &str) -> Option<Vec<PathBuf>> {
    let open = fs::read_dir(format!("/proc/{broker}/fd")).ok()?.flatten();
    let of_topic = |file: &PathBuf| {
        let folder = file.parent().and_then(Path::file_name);
        let partition =
            folder.and_then(|name| name.to_str()?.strip_prefix(topic)?.strip_prefix('-'));
        file.extension().is_some_and(|end| end == "log")
            && partition.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let mut files: Vec<PathBuf> = open
        .filter_map(|file| fs::read_link(file.path()).ok())
        .filter(of_topic)
        .collect();
    files.sort();
    files.dedup();
    Some(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch as a broker writes it, with this many records of which only the count matters.
    fn batch(records: u32, body: usize) -> Vec<u8> {
        let mut bytes = vec![0; HEAD + body];
        let length = (bytes.len() - PREFIX) as u32;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[57..61].copy_from_slice(&records.to_be_bytes());
        bytes
    }

    #[test]
    fn batches_and_records_of_a_segment_are_counted() {
        let mut segment = batch(3, 100);
        segment.extend(batch(1, 0));
        segment.extend([0; 200]); // reserved
        let mut log = TopicLog::default();
        log.add_batches(segment.as_slice()).expect("a segment");
        let expected = TopicLog {
            batches: 2,
            records: 4,
            bytes: 161 + 61,
        };
        assert_eq!(log, expected);
    }

    #[test]
    fn a_batch_that_is_being_written_is_left_out() {
        let segment = batch(3, 100);
        let mut log = TopicLog::default();
        log.add_batches(&segment[..40]).expect("a segment");
        assert_eq!(log, TopicLog::default());
    }
}
