//! Documents that users write, read without losing the lines.
//!
//! YAML and JSON templates and TOML settings become one tree of [`Node`]s. Every node and every key has its line, so that
//! whatever later turns out wrong can be shown where it was written. [`Problems`] gathers all complaints of a run;
//! nothing here stops at the first.

mod json;
mod node;
mod problems;
mod reader;
mod toml;
mod yaml;

#[cfg(test)]
mod suite_tests;

pub use event_sources::suggestion::nearest;
pub use json::parse_json;
pub(crate) use node::LONGEST_SHOWN;
pub use node::{Entry, Kind, Node};
pub use problems::Problems;
pub use reader::Reader;
pub(crate) use reader::truth;
pub use toml::parse_toml;
pub use yaml::parse_yaml;
