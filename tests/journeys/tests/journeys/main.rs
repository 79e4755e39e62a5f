//! Journeys through `usher`: HTTP, Kafka, Postgres, Redis and back, with the programs as they are shipped.

mod configuration;
mod faults;
mod identity;
mod invoke;
mod orders;
mod poison;
