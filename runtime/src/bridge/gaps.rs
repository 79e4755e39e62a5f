//! Detects offsets that the bridge skipped. Transaction markers and compacted records are expected.
//! Records that were deleted before they were read raise an alarm, and so does a log that was
//! recreated.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Message as _, OwnedMessage};

use crate::sources::kafka::SilentContext;
use crate::sources::kafka::reader::committed;

/// Time limit of each request to the brokers.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The offsets between the last record and the one that was read now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skipped {
    /// None held a record.
    Nothing,
    /// These were deleted before they were read.
    Deleted { first: i64, last: i64 },
    /// The log ends before the last read offset: it was truncated, or the topic was recreated.
    Recreated,
}

/// `next`: the offset after the last one that the group read. `found`: the offset that was read
/// now. `start`: the first offset of the log.
fn classify(next: i64, found: i64, start: i64) -> Skipped {
    if found < next {
        return Skipped::Recreated;
    }
    let last = start.min(found) - 1;
    if last < next {
        Skipped::Nothing
    } else {
        Skipped::Deleted { first: next, last }
    }
}

/// Next offset of each partition that this bridge reads.
#[derive(Debug, Default)]
pub(super) struct GapDetector(BTreeMap<i32, i64>);

impl GapDetector {
    /// Checks a record before its offset is committed. A gap costs two requests to the brokers: the
    /// committed offset, which another bridge may have moved, and the start of the log.
    pub(super) fn check(&mut self, consumer: &BaseConsumer<SilentContext>, record: &OwnedMessage) {
        let topic = record.topic();
        let partition = record.partition();
        let found = record.offset();
        let next = self.0.insert(partition, found + 1);
        if next == Some(found) {
            return;
        }
        let bounds = committed(consumer, topic, partition, TIMEOUT).and_then(|next| {
            Ok((
                next,
                consumer.fetch_watermarks(topic, partition, TIMEOUT)?.0,
            ))
        });
        match bounds {
            Ok((committed, start)) => {
                let Some(next) = next.max(committed) else {
                    return;
                };
                report(topic, partition, next, classify(next, found, start));
            }
            Err(error) => tracing::warn!(
                topic,
                partition,
                offset = found,
                %error,
                "the brokers do not report where the log begins: records before this offset may \
                 have been deleted before the bridge read them"
            ),
        }
    }
}

fn report(topic: &str, partition: i32, next: i64, skipped: Skipped) {
    match skipped {
        Skipped::Nothing => {}
        Skipped::Deleted { first, last } => tracing::error!(
            alarm = "offsets_deleted_unread",
            topic,
            partition,
            first,
            last,
            "offsets {first} to {last} of {topic}-{partition} were deleted before the bridge \
             read them, and are not copied. Keep records longer than the bridge may be stopped \
             (retention.ms of the topic)"
        ),
        Skipped::Recreated => tracing::error!(
            alarm = "log_replaced",
            topic,
            partition,
            next,
            "the log of {topic}-{partition} ends before offset {next}, up to which the \
             bridge had read: the topic was recreated, or its log was truncated. The bridge copies \
             it from its start"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_deleted_offsets_are_reported() {
        assert_eq!(classify(10, 10, 0), Skipped::Nothing);
        // markers and compacted records
        assert_eq!(classify(10, 15, 3), Skipped::Nothing);
        assert_eq!(
            classify(10, 15, 15),
            Skipped::Deleted {
                first: 10,
                last: 14
            }
        );
        // the log began at 12; 12 to 14 were markers
        assert_eq!(
            classify(10, 15, 12),
            Skipped::Deleted {
                first: 10,
                last: 11
            }
        );
        // records after the one that was read have been deleted since
        assert_eq!(
            classify(10, 15, 20),
            Skipped::Deleted {
                first: 10,
                last: 14
            }
        );
        assert_eq!(classify(10, 3, 0), Skipped::Recreated);
    }
}
