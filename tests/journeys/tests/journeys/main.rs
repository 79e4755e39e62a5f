//! Journeys through `usher` with the shipped programs: HTTP, Kafka, Postgres, Redis and back.

mod calls;
mod certificates;
mod classes;
mod configuration;
mod demo;
mod faults;
mod identity;
mod invoke;
mod isolation;
mod orders;
mod parked;
mod payments;
mod poison;
mod rotation;
mod seats;
mod servers;
mod traces;
mod waiting;
mod waiting_room;
