//! The timeout-closer over real Redis and Postgres: each test in an environment of its own.

mod auditing;
mod clocks;
mod closing;
mod filling;
mod lost;
mod outage;
mod publishing;
mod settings;
mod stage;
mod sweeping;
mod unstored;
