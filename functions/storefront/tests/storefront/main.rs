//! The storefront over real Redis, Postgres and Kafka: each test in an environment of its own.

mod api_calls;
mod catching_up;
mod changes;
mod create;
mod emission;
mod gaps;
mod orders;
mod parked;
mod payments;
mod programs;
mod publish;
mod rebuild;
mod settings;
mod support;
mod unreadable;
mod waiting;
