//! Makes the functions' executables, or finds those that were made before.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::model::Application;

/// How to build.
#[derive(Debug, Clone)]
pub struct Options {
    /// Cargo profile.
    pub profile: String,
    /// Use what a former build left, build nothing.
    pub no_build: bool,
    /// Build only these functions (logical ids); empty: all.
    pub only: Vec<String>,
}

/// The executable of each function, by logical id; absolute paths.
pub type Binaries = BTreeMap<String, PathBuf>;

/// Why there are no executables. The text names every function concerned and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BuildError(pub String);

/// Builds every function of the application with one `cargo build`; blocking.
pub fn build(_app: &Application, _options: &Options) -> Result<Binaries, BuildError> {
    todo!()
}
