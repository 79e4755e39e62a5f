//! API-data-collector: calls of the API come from Kafka, become sums by minute and rows to look at, exactly once from Kafka on.
//!
//! ```text
//! event --Arrival--> calls, read one by one --collect_calls--> sums, rows and progress, in one transaction
//!       --handler--> what may be acknowledged --retention--> the oldest rows go
//! ```
//!
//! Promises:
//! - A record is acknowledged when it is committed or parked, never before, and never past one that is not.
//! - A record is added once, however often it is delivered: progress moves in the transaction that adds it.
//! - One record that cannot be read or stored delays nobody: it is parked with its reason.
//! - Nothing here touches an order: tables, topic, group and concurrency are this function's own.

mod handler;
mod retention;
mod settings;

pub use handler::Collector;
pub use settings::Settings;
