//! API-data-collector: adds API calls from Kafka to Postgres, exactly once, as rows and as sums by
//! minute, and writes them as Parquet files.
//!
//! ```text
//! event --Arrival--> calls --collect_calls--> sums, rows and progress, in one transaction
//!       --handler--> partial batch response --retention--> the oldest rows are deleted
//!                                           --files------> small files are merged, old ones expire
//! ```
//!
//! Promises:
//! - A record is acknowledged when it and every record before it in its partition are committed or
//!   parked.
//! - A record is added once, however often it is delivered: the transaction that adds it also
//!   stores the progress, and the row of its file.
//! - A record that cannot be read or stored delays no other: it is parked with its reason.
//! - Orders are not affected: tables, topic, consumer group and concurrency belong to this function
//!   alone.

pub mod files;
mod handler;
mod interval;
mod retention;
mod settings;

pub use handler::Collector;
pub use settings::Settings;
