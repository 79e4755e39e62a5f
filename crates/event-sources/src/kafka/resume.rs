//! Where a group goes on in a partition that this host was assigned: a rule about offsets, without a broker.
//!
//! Nothing is skipped without an alarm. Records that were deleted before they were read are counted. A log that is not the one that the
//! committed offset belongs to is read from its start, since no record of it was read.

use crate::stream::Offset;

/// A topic, compared with the one that this host last read under the same name with the same group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicIdentity {
    /// This host has read none.
    New,
    /// It is the same topic.
    Same,
    /// It was deleted, and another one was created under its name.
    Replaced,
    /// This host has read one, and the brokers give topics no ids.
    Unknown,
}

/// What the brokers say of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionLog {
    /// Next offset that the group reads; `None`: none is committed.
    pub committed: Option<Offset>,
    /// First offset of the log.
    pub start: Offset,
    /// Offset of the next record that is written, or the first of an open transaction.
    pub end: Offset,
}

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResumeFrom {
    /// At the committed offset.
    Committed(Offset),
    /// Where `StartingPosition` says: the group has never read the topic.
    StartingPosition,
    /// At the first offset of the log.
    LogStart,
}

/// What needs an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogAnomaly {
    /// The offsets `first` to `last` were deleted before the group read them.
    Deleted {
        /// First deleted offset that the group had not read.
        first: Offset,
        /// Last one.
        last: Offset,
    },
    /// The topic was deleted and created again.
    Replaced,
    /// The log ends before the committed offset, or was rewritten before it: it was cut, or the topic was deleted and created again.
    Cut {
        /// Offset that the group had committed.
        committed: Offset,
        /// End of the log.
        end: Offset,
    },
}

/// Where to go on. `first_time`: the group has committed nothing in any partition of the topic. `rewritten`: the brokers refused the
/// position that this host had read up to, although the log seems to have it.
pub fn resume(
    log: PartitionLog,
    identity: TopicIdentity,
    first_time: bool,
    rewritten: bool,
) -> (ResumeFrom, Option<LogAnomaly>) {
    let replaced =
        identity == TopicIdentity::Replaced || (identity == TopicIdentity::Unknown && first_time);
    match log.committed {
        _ if replaced => (ResumeFrom::LogStart, Some(LogAnomaly::Replaced)),
        None if first_time => (ResumeFrom::StartingPosition, None),
        // a partition that was added later
        None => (ResumeFrom::LogStart, None),
        Some(committed) if committed < log.start => (
            ResumeFrom::LogStart,
            Some(LogAnomaly::Deleted {
                first: committed,
                last: log.start - 1,
            }),
        ),
        Some(committed) if committed > log.end || rewritten => (
            ResumeFrom::LogStart,
            Some(LogAnomaly::Cut {
                committed,
                end: log.end,
            }),
        ),
        Some(committed) => (ResumeFrom::Committed(committed), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(
        committed: Option<Offset>,
        identity: TopicIdentity,
        first_time: bool,
    ) -> (ResumeFrom, Option<LogAnomaly>) {
        resume(
            PartitionLog {
                committed,
                start: 10,
                end: 20,
            },
            identity,
            first_time,
            false,
        )
    }

    #[test]
    fn a_committed_offset_within_the_log_counts() {
        for identity in [
            TopicIdentity::New,
            TopicIdentity::Same,
            TopicIdentity::Unknown,
        ] {
            for committed in [10, 15, 20] {
                assert_eq!(
                    at(Some(committed), identity, false),
                    (ResumeFrom::Committed(committed), None),
                    "{identity:?}"
                );
            }
        }
    }

    #[test]
    fn deleted_records_are_named_exactly() {
        let deleted = |first| Some(LogAnomaly::Deleted { first, last: 9 });
        assert_eq!(
            at(Some(9), TopicIdentity::Same, false),
            (ResumeFrom::LogStart, deleted(9))
        );
        assert_eq!(
            at(Some(0), TopicIdentity::New, false),
            (ResumeFrom::LogStart, deleted(0))
        );
    }

    #[test]
    fn a_log_of_another_topic_is_read_from_its_start() {
        let replaced = (ResumeFrom::LogStart, Some(LogAnomaly::Replaced));
        for committed in [None, Some(0), Some(15), Some(99)] {
            for first_time in [false, true] {
                assert_eq!(
                    at(committed, TopicIdentity::Replaced, first_time),
                    replaced,
                    "{committed:?}"
                );
            }
        }
        assert_eq!(at(None, TopicIdentity::Unknown, true), replaced);
        let cut = LogAnomaly::Cut {
            committed: 21,
            end: 20,
        };
        assert_eq!(
            at(Some(21), TopicIdentity::New, false),
            (ResumeFrom::LogStart, Some(cut))
        );
        let log = PartitionLog {
            committed: Some(15),
            start: 10,
            end: 20,
        };
        let cut = LogAnomaly::Cut {
            committed: 15,
            end: 20,
        };
        assert_eq!(
            resume(log, TopicIdentity::Same, false, true),
            (ResumeFrom::LogStart, Some(cut))
        );
    }

    #[test]
    fn only_a_group_that_never_read_uses_the_starting_position() {
        for identity in [TopicIdentity::New, TopicIdentity::Same] {
            assert_eq!(
                at(None, identity, true),
                (ResumeFrom::StartingPosition, None),
                "{identity:?}"
            );
            assert_eq!(
                at(None, identity, false),
                (ResumeFrom::LogStart, None),
                "a partition that was added later"
            );
        }
    }
}
