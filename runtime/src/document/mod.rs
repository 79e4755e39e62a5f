//! Documents that users write, read without losing the lines.
//!
//! YAML templates and TOML settings both become one tree of [`Node`]s. Every node and every key knows its line, so that
//! whatever later turns out wrong can be shown where it was written. [`Problems`] gathers all complaints of a run;
//! nothing here stops at the first.

mod node;
mod problems;
mod reader;
mod toml;
mod yaml;

pub(crate) use node::LONGEST_SHOWN;
pub use node::{Entry, Kind, Node};
pub use problems::{Problems, nearest};
pub use reader::Reader;
pub use toml::parse_toml;
pub use yaml::parse_yaml;
