//! The timeout-closer over real Redis and Postgres: each test in an environment of its own.

mod auditing;
mod clocks;
mod closing;
mod cluster;
mod environment;
mod filling;
mod lost;
mod many;
mod orders;
mod outage;
mod program_seats;
mod provider;
mod publishing;
mod refunds;
mod settings;
mod sweeping;
mod unstored;
