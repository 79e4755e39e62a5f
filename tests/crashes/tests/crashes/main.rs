//! Death at every step of an order, and of a batch of calls, over real Redis and Postgres.
//!
//! A future that is dropped where it waits leaves what a killed process leaves: effects up to
//! there, perhaps the one that was on its way, and nothing after. Each test kills one function at
//! its first wait, then at its second, and so on until it comes to its end unharmed; each time the
//! others carry on, in either order, and then must hold:
//!
//! - gate and Postgres agree about every seat, and every seat held belongs to an unpaid or paid
//!   row;
//! - the gate has a timeout entry for exactly the unpaid rows;
//! - an order that was answered with 201 or 202 is stored and neither void nor rejected;
//! - a change of a program that was committed is told, and what is told of raises the floor of the
//!   caches and reaches every instance;
//! - after the time to pay, all unpaid seats sell again, and to the same buyer: nothing counts
//!   against the limit;
//! - every call of the API is counted once, and kept once.

#![allow(
    clippy::large_futures,
    reason = "whole functions are futures here: one at a time, on a test's stack"
)]

mod changes;
mod collector;
mod dying;
mod functions;
mod log;
mod world;
