//! What a journey needs: an environment of its own on the real servers, `usher` running in it, and eyes on Postgres,
//! Redis and Kafka.
//!
//! A journey goes the whole way, HTTP to Postgres and back, through the programs as they are shipped. Each has its own
//! prefix and ports, so all may run at once. It waits for conditions, each with a deadline, and never for time to pass.

mod calls;
mod environment;
mod orders;
mod wait;

pub use environment::{Settings, TestEnvironment};
pub use wait::until;
