//! Limits of the service ("Amazon SQS message quotas" and "`CreateQueue`"), and of requests to this
//! implementation.

use std::ops::RangeInclusive;

/// Bytes of a message with its attributes, and of all messages of a batch.
pub(crate) const MAX_MESSAGE: usize = 1_048_576;
/// Entries of a batch.
pub(crate) const MAX_ENTRIES: usize = 10;
/// Characters of an entry's id, of a queue's name.
pub(crate) const MAX_NAME: usize = 80;
/// Attributes of a message.
pub(crate) const MAX_ATTRIBUTES: usize = 10;
/// Characters of the name of an attribute.
pub(crate) const MAX_ATTRIBUTE_NAME: usize = 256;
/// Characters of a group's or deduplication id.
pub(crate) const MAX_ID: usize = 128;
/// Messages of one receive.
pub(crate) const RECEIVE: RangeInclusive<i64> = 1..=10;
/// Seconds.
pub(crate) const VISIBILITY: RangeInclusive<i64> = 0..=43_200;
/// Seconds.
pub(crate) const WAIT: RangeInclusive<i64> = 0..=20;
/// Seconds.
pub(crate) const DELAY: RangeInclusive<i64> = 0..=900;
/// Seconds.
pub(crate) const RETENTION: RangeInclusive<i64> = 60..=1_209_600;
/// Bytes.
pub(crate) const MESSAGE_SIZE: RangeInclusive<i64> = 1_024..=1_048_576;
/// Receives before a message moves to the dead-letter queue.
pub(crate) const RECEIVES: RangeInclusive<i64> = 1..=1_000;
/// Queues of one page of a list.
pub(crate) const PAGE: RangeInclusive<i64> = 1..=1_000;
/// Messages of a queue that are received and neither deleted nor visible again.
pub(crate) const MAX_IN_FLIGHT: usize = 120_000;
/// How long a message suppresses others with its deduplication id, milliseconds.
pub(crate) const DEDUPLICATION: u64 = 300_000;

/// Bytes of a request: JSON escapes a byte of a message with six at most, and attributes are
/// written in Base64.
pub const MAX_REQUEST: usize = 8 * MAX_MESSAGE;
