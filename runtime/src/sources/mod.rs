//! Sources of events: each reads from somewhere and invokes functions.
//!
//! A kind of source is a folder here that implements [`SourceKind`] (what an application plans, its
//! checks, how its sources are opened) and [`EventSource`] (one opened source: run, drain, status,
//! changed settings, positions). [`KINDS`] lists them. The rest of the host works with that list and
//! with the opened [`Sources`], and names no kind.

pub mod asynchronous;
mod error;
mod host;
pub mod kafka;
mod kind;
pub mod mapping;
mod planned;
mod position;
pub mod redis_streams;
mod registry;
pub mod schedule;
mod source;
pub mod sqs;
mod status;
mod tuned;

pub use asynchronous::AsyncQueue;
pub use error::{KindError, PositionError, SourceError};
pub use host::{SourceHost, open_events};
pub use kind::{OpenedSources, PlannedSource, SourceKind};
pub(crate) use planned::probed_servers;
pub use planned::{contradictions, dead_letter_stores, planned, probe, tunable};
pub use position::{PositionAction, PositionChange};
pub use registry::{KindStatus, Sources};
pub use source::EventSource;
pub use status::{MetricColumn, MetricFamily, SourceMetric, SourceStatus, SourceSubject};
pub use tuned::{SettingsSender, TunedSettings};

/// Every kind of source, in the order in which sources are opened and reported.
pub static KINDS: &[&dyn SourceKind] = &[
    &kafka::KafkaSourceKind,
    &sqs::SqsSourceKind,
    &asynchronous::AsyncSourceKind,
    &schedule::ScheduleSourceKind,
    &redis_streams::RedisStreamSourceKind,
];
