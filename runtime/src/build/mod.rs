//! Makes the functions' executables, or finds those that were made before.
//!
//! All cargo functions are built by one `cargo build` for this machine's own architecture ([`cargo`]; [`workspace`] finds their
//! packages); `make` and `go` are
//! run for the functions that ask for them ([`tool`]); a prebuilt `bootstrap` runs as it is. [`former`] finds what an earlier cargo build
//! left, without cargo. [`elf`] sees to it that this machine can run what was not built by cargo. Every function that has no executable is
//! named in one message.

mod cargo;
mod elf;
mod former;
mod progress;
mod tool;
mod workspace;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::model::{Application, Code, Function, ToolBuild};

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
    /// `None`: the only one of the workspace.
    binary: Option<&'a str>,
}

/// Builds the functions; blocking.
///
/// # Errors
/// Every function without an executable, or the compiler's own message.
pub fn build(app: &Application, options: &Options) -> Result<Binaries, BuildError> {
    let mut binaries = Binaries::new();
    let mut problems = Vec::new();
    let mut targets = Vec::new();
    let mut tools = Vec::new();
    for (id, function) in app
        .functions
        .iter()
        .filter(|(id, _)| options.only.is_empty() || options.only.contains(id))
    {
        match &function.code {
            Code::Cargo { dir, binary } => targets.push(Target {
                function: id,
                dir,
                binary: binary.as_deref(),
            }),
            Code::Prebuilt(path) => match prebuilt(path) {
                Ok(executable) => {
                    binaries.insert(id.clone(), executable);
                }
                Err(wrong) => problems.push(said(function, &wrong)),
            },
            Code::Tool(build) => tools.push((function, build)),
        }
    }
    if !problems.is_empty() {
        return Err(BuildError(problems.join("\n")));
    }
    for (function, build) in tools {
        let made = if options.no_build {
            Ok(())
        } else {
            tool::run(&function.id, build)
        };
        let executable = made
            .and_then(|()| left(build, options.no_build))
            .map_err(|wrong| BuildError(said(function, &wrong)))?;
        binaries.insert(function.id.clone(), executable);
    }
    if !targets.is_empty() {
        binaries.extend(cargo::build(&targets, options)?);
    }
    Ok(binaries)
}

/// What a build would refuse, as far as it can be known without compiling; a sentence each. Blocking: runs `cargo metadata`, and asks the
/// other tools for their version.
pub fn check(app: &Application, options: &Options) -> Vec<String> {
    let mut targets = Vec::new();
    let mut problems = Vec::new();
    for (id, function) in app
        .functions
        .iter()
        .filter(|(id, _)| options.only.is_empty() || options.only.contains(id))
    {
        match &function.code {
            Code::Cargo { dir, binary } => targets.push(Target {
                function: id,
                dir,
                binary: binary.as_deref(),
            }),
            Code::Prebuilt(_) => {}
            Code::Tool(build) => {
                problems.extend(tool::check(build).err().map(|wrong| said(function, &wrong)));
            }
        }
    }
    problems.extend(cargo::check(&targets, options));
    problems
}

/// What is wrong with a function's executable, and where the template asks for it.
fn said(function: &Function, wrong: &str) -> String {
    let place = if function.place.is_empty() {
        String::new()
    } else {
        format!("{}: ", function.place)
    };
    format!("{place}function {}: {wrong}", function.id)
}

/// The executable that a tool left in its folder.
fn left(build: &ToolBuild, former: bool) -> Result<PathBuf, String> {
    let file = build.artifacts.join(BOOTSTRAP);
    match (file.is_file(), former) {
        (true, _) => prebuilt(&file),
        (false, true) => Err(format!(
            "{} has not been built. Leave --no-build out.",
            file.display()
        )),
        (false, false) => Err(format!("its build left no executable {}.", file.display())),
    }
}

/// The executable in a folder, or the file itself; one that this machine can run.
fn prebuilt(path: &Path) -> Result<PathBuf, String> {
    let file = if path.is_file() {
        path.to_path_buf()
    } else {
        path.join(BOOTSTRAP)
    };
    if !file.is_file() {
        return Err(format!(
            "there is no executable {}. Build it there, or say how usher is to: `Metadata: {{BuildMethod: rust-cargolambda}}` for a \
             cargo package, go1.x or makefile for others.",
            file.display()
        ));
    }
    elf::check(&file)?;
    std::path::absolute(&file).map_err(|error| format!("{}: {error}", file.display()))
}
