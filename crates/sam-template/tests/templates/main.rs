//! Templates: what they resolve to, and the problems of invalid ones.

#![allow(clippy::unwrap_used)]

mod apis;
mod declared;
mod evaluation;
mod fixture;
mod functions;
mod kafka_mistakes;
mod kinds;
mod managed;
mod mistakes;
mod names;
mod queue_mistakes;
mod rules;
mod schema;
mod sources;
