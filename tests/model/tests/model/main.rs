//! The order protocol, explored.

mod protections;
mod protocol;
mod scenarios;
