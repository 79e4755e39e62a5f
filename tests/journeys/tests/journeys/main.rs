//! Journeys through `usher`: HTTP, Kafka, Postgres, Redis and back, with the programs as they are shipped.

mod calls;
mod configuration;
mod demo;
mod faults;
mod identity;
mod invoke;
mod isolation;
mod orders;
mod parked;
mod poison;
mod traces;
mod waiting;
