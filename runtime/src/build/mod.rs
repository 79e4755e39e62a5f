//! Builds the functions' executables, or finds those of an earlier build.
//!
//! One `cargo build` builds all cargo functions for this machine's architecture ([`cargo`];
//! [`workspace`] finds their packages). [`tool`] runs `make` and `go` for functions with such a
//! `BuildMethod`. [`script`] prepares functions of Python and Node.js. A prebuilt `bootstrap` is used as it is. [`earlier`] finds the results of an
//! earlier cargo build without cargo. [`elf`] checks that this machine can run what cargo did not
//! build. One message names every function without an executable.

mod cargo;
mod earlier;
mod elf;
mod error;
mod progress;
mod script;
mod tool;
mod workspace;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sam_template::model::{Application, Code, Function, ToolBuild};

pub use error::{BinaryError, BuildError, ExecutableError, FunctionBuildError, ToolError};
pub use script::{ScriptError, languages};

/// Name of the executable in a prebuilt folder.
const BOOTSTRAP: &str = "bootstrap";

/// What to build, and how.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// Cargo profile; `None`: `local` where the workspace has one, else `release`.
    pub profile: Option<String>,
    /// Use the results of an earlier build, build nothing.
    pub no_build: bool,
    /// Build only these functions (logical ids); empty: all.
    pub only: Vec<String>,
}

impl BuildOptions {
    /// The functions to build.
    fn functions<'a>(&'a self, app: &'a Application) -> impl Iterator<Item = &'a Function> {
        let all = app.functions.values();
        all.filter(move |function| self.only.is_empty() || self.only.contains(&function.id))
    }

    /// The cargo profile for a workspace.
    fn profile(&self, root: &Path) -> String {
        let given = self.profile.clone();
        given.unwrap_or_else(|| workspace::default_profile(root))
    }
}

/// The executable of each function, by logical id; absolute paths.
pub type Binaries = BTreeMap<String, PathBuf>;

/// A function to be built by cargo.
#[derive(Debug)]
struct Target<'a> {
    function: &'a str,
    dir: &'a Path,
    /// `None`: the only binary of the workspace.
    binary: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// `None`: cargo does not build the function.
    fn of(function: &'a Function) -> Option<Self> {
        let Code::Cargo { dir, binary } = &function.code else {
            return None;
        };
        Some(Self {
            function: &function.id,
            dir,
            binary: binary.as_deref(),
        })
    }
}

/// Builds the functions. Blocks.
///
/// # Errors
/// Every function without an executable, or the compiler's own message.
pub fn build(app: &Application, options: &BuildOptions) -> Result<Binaries, BuildError> {
    let mut binaries = Binaries::new();
    let mut problems = Vec::new();
    let mut tools = Vec::new();
    let mut scripts = Vec::new();
    for function in options.functions(app) {
        match &function.code {
            Code::Cargo { .. } => {}
            Code::Prebuilt(path) => match prebuilt(path) {
                Ok(executable) => {
                    binaries.insert(function.id.clone(), executable);
                }
                Err(wrong) => problems.push(FunctionBuildError::at(function, wrong)),
            },
            Code::Tool(build) => tools.push((function, build)),
            Code::Script(script) => scripts.push((function, script)),
        }
    }
    if !problems.is_empty() {
        return Err(BuildError::Functions(problems));
    }
    for (function, build) in tools {
        if !options.no_build {
            tool::run(&function.id, build)
                .map_err(|wrong| FunctionBuildError::at(function, wrong))?;
        }
        let executable = built(build, options.no_build)
            .map_err(|wrong| FunctionBuildError::at(function, wrong))?;
        binaries.insert(function.id.clone(), executable);
    }
    for (function, script) in scripts {
        let executable = script::build(&function.id, script, options.no_build)
            .map_err(|wrong| FunctionBuildError::at(function, wrong))?;
        binaries.insert(function.id.clone(), executable);
    }
    let targets: Vec<Target<'_>> = options.functions(app).filter_map(Target::of).collect();
    binaries.extend(cargo::build(&targets, options)?);
    Ok(binaries)
}

/// The errors of a build that can be found without compiling, one sentence each. Blocks: runs
/// `cargo metadata`, and the other tools with `--version`.
pub fn check(app: &Application, options: &BuildOptions) -> Vec<String> {
    let mut problems = Vec::new();
    for function in options.functions(app) {
        if let Code::Tool(build) = &function.code
            && let Err(wrong) = tool::check(build)
        {
            problems.push(FunctionBuildError::at(function, wrong).to_string());
        }
        if let Code::Script(script) = &function.code
            && let Err(wrong) = script::check(script)
        {
            problems.push(FunctionBuildError::at(function, wrong).to_string());
        }
    }
    let targets: Vec<Target<'_>> = options.functions(app).filter_map(Target::of).collect();
    problems.extend(cargo::check(&targets, options));
    problems
}

/// The executable that a tool wrote to its folder.
fn built(build: &ToolBuild, earlier: bool) -> Result<PathBuf, ExecutableError> {
    let file = build.artifacts.join(BOOTSTRAP);
    match (file.is_file(), earlier) {
        (true, _) => prebuilt(&file),
        (false, true) => Err(ExecutableError::NotBuilt(file)),
        (false, false) => Err(ExecutableError::NotWritten(file)),
    }
}

/// The executable in a folder, or the file itself, if this machine can run it.
fn prebuilt(path: &Path) -> Result<PathBuf, ExecutableError> {
    let file = if path.is_file() {
        path.to_path_buf()
    } else {
        path.join(BOOTSTRAP)
    };
    if !file.is_file() {
        return Err(ExecutableError::Missing(file));
    }
    elf::check(&file)?;
    std::path::absolute(&file).map_err(|error| ExecutableError::Unreadable { file, error })
}
