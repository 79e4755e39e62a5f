//! The order protocol, explored.

mod protections;
mod protocol;
mod removals;
mod scenarios;
