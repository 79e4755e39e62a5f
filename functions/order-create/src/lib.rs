//! Order-create: stores requested orders from Kafka in Postgres, then settles them in the gate.
//!
//! ```text
//! event --Arrival--> records --store--> rows, in one statement or transaction
//!       --settle--> gate settled, waiting payments applied
//!       --handler--> partial batch response
//! ```
//!
//! Promises:
//! - A record is acknowledged when it and every record before it in its partition are committed or
//!   parked.
//! - A record that cannot be read or stored delays no other: it is parked with its reason.
//! - Without Redis no record is repeated: the sweep settles committed orders later.

mod handler;
mod settings;
mod settle;
mod traces;

pub use handler::Creator;
pub use settings::Settings;
