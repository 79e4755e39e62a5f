//! YAML, JSON and TOML as one tree of [`Node`]s.
//!
//! Every node and every key has its line, so that later checks can report where a value was
//! written. [`Problems`] collects every problem of a run; no reader stops at the first.

mod json;
mod node;
mod problems;
mod reader;
mod toml;
mod yaml;

#[cfg(test)]
mod suite_tests;
#[cfg(test)]
mod yaml_tests;

pub use event_sources::suggestion::nearest;
pub use json::parse_json;
pub(crate) use node::MAX_SHOWN_CHARS;
pub use node::{Entry, Kind, Node};
pub use problems::Problems;
pub use reader::Reader;
pub(crate) use reader::{did_you_mean, hint, is_name, listed, parse_bool};
pub use toml::parse_toml;
pub use yaml::parse_yaml;
