//! Makes the functions' executables, or finds those that were made before.
//!
//! All cargo functions are built by one `cargo build` for this machine's own architecture ([`cargo`]); a prebuilt
//! `bootstrap` runs as it is, once [`elf`] has seen that this machine can run it. Every function that has no executable
//! is named in one message.

mod cargo;
mod elf;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::model::{Application, Code};

/// Name of the executable in a prebuilt folder.
const BOOTSTRAP: &str = "bootstrap";

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Cargo profile; `None`: `local` where the workspace has one, else `release`.
    pub profile: Option<String>,
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

/// A function to be built by cargo.
#[derive(Debug)]
struct Target<'a> {
    function: &'a str,
    dir: &'a Path,
    binary: &'a str,
}

/// Builds the functions; blocking.
///
/// # Errors
/// Every function without an executable, or the compiler's own message.
pub fn build(app: &Application, options: &Options) -> Result<Binaries, BuildError> {
    let mut binaries = Binaries::new();
    let mut problems = Vec::new();
    let mut targets = Vec::new();
    for (id, function) in app.functions.iter().filter(|(id, _)| options.only.is_empty() || options.only.contains(id)) {
        match &function.code {
            Code::Cargo { dir, binary } => targets.push(Target { function: id, dir, binary }),
            Code::Prebuilt(path) => match prebuilt(path) {
                Ok(executable) => {
                    binaries.insert(id.clone(), executable);
                }
                Err(wrong) => problems.push(format!("function {id}: {wrong}")),
            },
        }
    }
    if !problems.is_empty() {
        return Err(BuildError(problems.join("\n")));
    }
    if !targets.is_empty() {
        binaries.extend(cargo::build(&targets, options)?);
    }
    Ok(binaries)
}

/// The executable in a folder, or the file itself; one that this machine can run.
fn prebuilt(path: &Path) -> Result<PathBuf, String> {
    let file = if path.is_dir() { path.join(BOOTSTRAP) } else { path.to_path_buf() };
    if !file.is_file() {
        return Err(format!(
            "there is no executable {}. Build it there, or for a cargo package write `Metadata: {{BuildMethod: rust-cargolambda}}`.",
            file.display()
        ));
    }
    elf::check(&file)?;
    std::path::absolute(&file).map_err(|error| format!("{}: {error}", file.display()))
}
