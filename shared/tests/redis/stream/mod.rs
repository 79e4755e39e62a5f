//! Redis Streams against real Redis.

mod broadcast;
mod gaps;
mod group;
mod poison;
mod publishing;
mod recovery;
mod stage;
