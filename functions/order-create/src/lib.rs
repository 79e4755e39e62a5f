//! Order-create: requested orders come from Kafka, become rows of Postgres, and only then the gate is told.
//!
//! ```text
//! event --Arrival--> records, read one by one --store--> rows, in one transaction
//!       --handler--> what may be acknowledged --settle--> the gate agrees, payments that waited are applied
//! ```
//!
//! Promises:
//! - A record is acknowledged when it is committed or parked, never before, and never past one that is not.
//! - One record that cannot be read or stored delays nobody: it is parked with its reason.
//! - Redis being away is no reason to repeat a record: what is committed stays named to the sweep.

mod handler;
mod settings;
mod settle;
mod traces;

pub use handler::Creator;
pub use settings::Settings;
