//! The core crate of all functions: messages, the rules of a sale, and the adapters to Redis, SQS
//! and Postgres. Lambda events and the outcomes of their records are in the crate `lambda-batch`.
//!
//! Modules, in the order in which data passes through them:
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | settings from the environment, read once, all problems reported together |
//! | [`naming`] | the environment prefix; builds all names of topics, keys, streams, queues, groups, schemas |
//! | [`protection`] | the protections of the order protocol, and whether this build removes one |
//! | [`message`] | the messages between functions, with bounds and JSON Schema |
//! | [`sale`] | pure rules: order states, seat layout, money, order numbers |
//! | [`api_calls`] | API calls: the message, sums by minute (pure), and both in Postgres |
//! | [`access`] (feature `access`) | logins, certificates and keys, from settings, secrets or as tokens |
//! | [`gate`] (feature `redis`) | the Redis gate: scripts that each change or read it in one step |
//! | [`cache`] (feature `cache`) | programs in memory and in Redis, never below announced versions |
//! | [`limits`] (feature `cache`) | rate limits of buyers and addresses, in the Redis of caches |
//! | [`sqs`] (feature `sqs`) | SQS: batches sent, and which of their entries were accepted |
//! | [`https`] (feature `https`) | a small HTTP client with TLS |
//! | [`signature`] (feature `signature`) | signatures of the payment provider's requests, both ways |
//! | [`store`] (feature `postgres`) | Postgres, the source of truth |
//! | `reconcile` (features `redis`, `postgres`) | settles the gate by rows of Postgres |
//! | `steps` (features `redis`, `postgres`) | what a process does next, by what its last effect found: pure |
//! | `refill` (features `redis`, `postgres`) | fills a gate that lost its state from Postgres |
//! | [`telemetry`] (features `telemetry`, `traces`) | JSON logs, metrics, trace context, spans |
//! | [`start`] (feature `telemetry`) | the start of every function: its log, then its settings |
//!
//! Adapters depend on rules, never the reverse. Without features nothing here does I/O.

#[cfg(feature = "access")]
pub mod access;
pub mod api_calls;
#[cfg(feature = "cache")]
pub mod cache;
pub mod config;
#[cfg(feature = "redis")]
pub mod gate;
#[cfg(feature = "https")]
pub mod https;
#[cfg(feature = "cache")]
pub mod limits;
pub mod message;
pub mod naming;
pub mod protection;
#[cfg(all(feature = "redis", feature = "postgres"))]
pub mod reconcile;
#[cfg(all(feature = "redis", feature = "postgres"))]
pub mod refill;
pub mod sale;
#[cfg(feature = "signature")]
pub mod signature;
#[cfg(feature = "sqs")]
pub mod sqs;
#[cfg(feature = "telemetry")]
pub mod start;
#[cfg(all(feature = "redis", feature = "postgres"))]
pub mod steps;
#[cfg(feature = "postgres")]
pub mod store;
pub mod telemetry;
