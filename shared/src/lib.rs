//! The core crate of all functions: messages, the rules of a sale, and the adapters to Redis, SQS and Postgres.
//! Lambda events and the outcomes of their records are in the crate `lambda-batch`.
//!
//! Rooms, in the order data passes through them:
//!
//! | room | holds |
//! |---|---|
//! | [`config`] | settings from the environment, read once, all problems reported together |
//! | [`naming`] | the environment prefix: the only place that builds a topic, key, stream, queue, group or schema name |
//! | [`message`] | what travels, with its bounds and JSON Schema |
//! | [`sale`] | pure rules: order states, seat layout, money, order numbers |
//! | [`api_stats`] | pure rules: API calls added up by minute, route, status and client |
//! | [`gate`] (feature `redis`) | the Redis gate: scripts that each change or read it in one step |
//! | [`cache`] (feature `cache`) | programs in memory and in Redis, never older than what was heard of |
//! | [`sqs`] (feature `sqs`) | SQS: batches sent, and which of their entries were accepted |
//! | [`store`] (feature `postgres`) | Postgres, the truth |
//! | `reconcile`, `refill` (features `redis` and `postgres`) | the gate made to agree with rows of Postgres; filled from them after a loss |
//! | [`telemetry`] (feature `telemetry` writes, `traces` exports) | JSON logs, metrics, trace context, spans |
//! | [`start`] (feature `telemetry`) | how every function begins: its log, then its settings |
//!
//! Arrows point one way: adapters use rules, never the reverse. Without features nothing here does I/O.

pub mod api_stats;
#[cfg(feature = "cache")]
pub mod cache;
pub mod config;
#[cfg(feature = "redis")]
pub mod gate;
pub mod message;
pub mod naming;
#[cfg(all(feature = "redis", feature = "postgres"))]
pub mod reconcile;
#[cfg(all(feature = "redis", feature = "postgres"))]
pub mod refill;
pub mod sale;
#[cfg(feature = "sqs")]
pub mod sqs;
#[cfg(feature = "telemetry")]
pub mod start;
#[cfg(feature = "postgres")]
pub mod store;
pub mod telemetry;
