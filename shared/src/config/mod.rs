//! Settings from the environment: read once at start, every problem reported together.
//!
//! A function reads each variable from a [`Reader`], which collects the problems.
//! [`Reader::finish`] returns the settings, or one error that lists every variable, what is wrong
//! with it and what is allowed.
//!
//! ```
//! use shared::config::{Problems, Reader};
//!
//! #[derive(Debug)]
//! struct Settings { names: shared::naming::Names, claim_limit: u32 }
//!
//! fn read(reader: &Reader) -> Result<Settings, Problems> {
//!     reader.finish(|| Settings {
//!         names: reader.names(),
//!         claim_limit: reader.integer_or("CLAIM_LIMIT", 1..=10_000, 500),
//!     })
//! }
//!
//! let wrong = Reader::new([("CLAIM_LIMIT", "many")]);
//! let text = read(&wrong).unwrap_err().to_string();
//! assert!(text.contains("ENV_PREFIX") && text.contains("CLAIM_LIMIT"));
//! ```
//!
//! Secrets, and passwords in URLs, are never printed.

mod execution;
mod inventory;
mod keys;
pub mod postgres;
mod problems;
mod reader;
mod server;
pub(crate) mod tls;
mod values;

#[cfg(test)]
mod tests;

pub use execution::Execution;
pub use inventory::{Inventory, Variable};
pub use keys::KeysSetting;
pub use problems::{Problem, Problems};
pub use reader::Reader;
pub use server::{LoginSetting, Server, TokenTarget};
pub use tls::{IdentitySetting, PemSetting, TlsSettings};
pub use values::{Arn, Secret, SecretRef, Url};
