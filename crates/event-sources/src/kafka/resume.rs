//! Decides where a group continues in a partition that was assigned to this host.
//!
//! No record is skipped without an alarm. Records that were deleted unread are counted. A log other
//! than the one of the committed offset is read from its start, since none of its records were
//! read.

use crate::stream::Offset;

/// A topic, compared with the one that this host last read under the same name and group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicIdentity {
    /// This host has read no topic of this name.
    New,
    /// The topic is the same.
    Same,
    /// The topic was deleted and created again.
    Replaced,
    /// This host has read a topic of this name, but the brokers report no topic ids.
    Unknown,
}

/// What the brokers report of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionLog {
    /// Committed offset of the group: the next to read.
    pub committed: Option<Offset>,
    /// First offset of the log.
    pub start: Offset,
    /// Last stable offset: the end of the log, or the start of an open transaction.
    pub end: Offset,
}

/// Where reading starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResumeFrom {
    /// At the committed offset.
    Committed(Offset),
    /// At `StartingPosition`: the group has never read the topic.
    StartingPosition,
    /// At the first offset of the log.
    LogStart,
}

/// A finding that needs an alarm.
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
    /// The log ends before the committed offset, or was rewritten before it: it was truncated, or
    /// the topic was deleted and created again.
    Cut {
        /// Offset that the group had committed.
        committed: Offset,
        /// End of the log.
        end: Offset,
    },
}

/// Where to continue. `first_time`: the group has committed no offset in any partition of the
/// topic. `rewritten`: the brokers refused this host's position, although the log seems to contain
/// it.
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
        // the partition was added later
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
    fn only_a_new_group_uses_the_starting_position() {
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
