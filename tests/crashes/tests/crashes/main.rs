//! Kills at every step of an order and of a batch of calls, with real Redis and Postgres.
//!
//! A future that is dropped while it awaits leaves what a killed process leaves: the effects up to
//! there, perhaps the last one in flight, and nothing after. Each test kills one function at its
//! first await, then at its second, and so on until it ends; each time the other functions recover,
//! in either order. Then:
//!
//! - gate and Postgres agree on every seat, and every held seat belongs to an unpaid or paid row;
//! - the gate has a timeout entry for exactly the unpaid rows;
//! - an order that was answered with 201 or 202 is stored and neither void nor rejected;
//! - a committed program change is published, raises the floor of the caches and reaches every
//!   instance;
//! - after the time to pay, all unpaid seats can be sold again, to the same buyer too: no ended
//!   order counts against the limit;
//! - every API call is counted once and stored once.

#![allow(
    clippy::large_futures,
    reason = "each test holds a whole function as a future on its stack"
)]

mod changes;
mod collector;
mod dying;
mod environment;
mod functions;
mod invariants;
mod log;
mod recovery;
