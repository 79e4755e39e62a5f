//! Redis Streams: sources that `usher.toml` declares, each from a stream to a function. Lambda has no
//! trigger for them; in the cloud, a bridge and a queue stand between. The function receives the
//! same SQS event either way.
//!
//! An entry passes through these files in this order: `driver` reads it as a consumer of the group,
//! `encode` writes it as JSON, the machine of [`event_sources::redis_stream`] batches and retries
//! it, and the group acknowledges it or keeps its dead letter. `declaration` reads usher.toml into
//! a `mapping`, `progress` holds the status, `report` and `describe` print, `md5` and `trace` serve
//! `encode`.
//!
//! - An entry is acknowledged only after its function processed it, or in one step with its dead
//!   letter in `{stream}-dead`, which `usher parked` lists and replays.
//! - A host that is killed continues, under the same consumer name, with what it held. Entries of a
//!   host that does not return are taken over by another one.
//! - The count of attempts stands in the group and survives restarts.
//! - Entries are read in the order of the stream, and no order is kept beyond that: a failed entry
//!   comes again after later ones, and hosts and concurrent invocations overtake each other.

mod declaration;
mod describe;
mod driver;
mod encode;
mod kind;
mod mapping;
mod md5;
mod progress;
mod report;
mod source;
mod trace;

pub use kind::RedisStreamSourceKind;
