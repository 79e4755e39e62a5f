//! Redis Streams against real Redis.

mod broadcast;
mod failover;
mod gaps;
mod group;
mod poison;
mod publishing;
mod recovery;
mod stage;
