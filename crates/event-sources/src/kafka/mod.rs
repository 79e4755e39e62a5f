//! Rules about consumer groups and partition logs of Kafka, without a broker.
//!
//! [`resume`] decides where a group continues in a partition and which losses need an alarm,
//! [`Membership`] under which name a host joins its group, [`assignment`] reads what a group's
//! members are assigned, [`FetchPositions`] and [`LogEnd`] keep what librdkafka reports of a
//! partition.

mod assignment;
mod fetch_position;
mod log_end;
mod membership;
#[cfg(test)]
mod membership_tests;
mod resume;

pub use assignment::{TopicPartition, UnassignedPartitions, assignment};
pub use fetch_position::FetchPositions;
pub use log_end::LogEnd;
pub use membership::{FENCED_AGAIN_WITHIN, Membership};
pub use resume::{LogAnomaly, PartitionLog, ResumeFrom, TopicIdentity, resume};
