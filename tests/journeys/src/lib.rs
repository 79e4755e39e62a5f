//! Fixtures of the journeys: an environment on the real servers, `usher`, and access to Postgres
//! and Kafka.
//!
//! A journey tests the shipped programs from HTTP to Postgres and back. Each has its own prefix and
//! ports, so that all can run concurrently. It waits for conditions with a deadline, never for a
//! fixed time.

mod calls;
mod environment;
mod orders;
mod server_set;
mod wait;

pub use environment::{Settings, TestEnvironment};
pub use server_set::ServerSet;
pub use wait::until;
