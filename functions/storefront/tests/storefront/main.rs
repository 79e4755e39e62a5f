//! The storefront over real Redis, Postgres and Kafka, each test in its own environment.

mod api_calls;
mod broker_access;
mod broker_connections;
mod catching_up;
mod changes;
mod classes;
mod concurrent;
mod create;
mod emission;
mod gaps;
mod instances;
mod orders;
mod parked;
mod parked_list;
mod payment_keys;
mod payment_lookup;
mod payments;
mod programs;
mod publish;
mod rebuild;
mod rebuilt_keys;
mod settings;
mod support;
mod unreadable;
mod unreadable_bodies;
mod waiting;
