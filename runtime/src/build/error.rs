//! Why functions have no executables.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::ScriptError;
use sam_template::model::Function;

/// A failed build. The text names every affected function and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Executables that were built before are missing or cannot run here.
    #[error("{}", lines(.0))]
    Functions(Vec<FunctionBuildError>),
    /// The template names no binary of the workspace that cargo could build.
    #[error("function {function}: {fault}")]
    Binary {
        /// Logical id.
        function: String,
        /// What is wrong.
        #[source]
        fault: BinaryError,
    },
    /// Cargo does not run.
    #[error(
        "cargo cannot be run: {0}. Install Rust (https://rustup.rs), or use --no-build with \
         executables that exist."
    )]
    NoCargo(#[source] io::Error),
    /// Cargo cannot read a manifest.
    #[error("cargo cannot read {}/Cargo.toml:\n{output}", .folder.display())]
    Manifest {
        /// Folder of the manifest.
        folder: PathBuf,
        /// What cargo printed.
        output: String,
    },
    /// `cargo metadata` printed something else than its JSON.
    #[error("cargo metadata printed invalid JSON: {0}")]
    Metadata(#[source] serde_json::Error),
    /// The pipes of cargo are missing.
    #[error("cargo has no output to read")]
    NoOutput,
    /// The compiler reported errors; they are the text.
    #[error("the functions do not build:\n\n{0}")]
    Compiler(String),
    /// Cargo succeeded without an executable of this binary.
    #[error(
        "cargo made no binary {binary} of the package {package}. Its required-features may not be \
         enabled."
    )]
    NotMade {
        /// The package.
        package: String,
        /// The binary.
        binary: String,
    },
    /// An executable cannot be copied to this file.
    #[error("cannot write {}: {error}", .file.display())]
    Copy {
        /// The file.
        file: PathBuf,
        /// The reason.
        #[source]
        error: io::Error,
    },
}

/// The executable of one function is missing or cannot run.
#[derive(Debug, thiserror::Error)]
#[error("{place}function {function}: {fault}")]
pub struct FunctionBuildError {
    /// Logical id.
    pub function: String,
    /// The line of its `CodeUri` and `: `; empty if unknown.
    place: String,
    /// What is wrong.
    #[source]
    pub fault: ExecutableError,
}

impl FunctionBuildError {
    /// With the line of the function's `CodeUri`.
    pub(super) fn at(function: &Function, fault: impl Into<ExecutableError>) -> Self {
        let place = match function.place.as_str() {
            "" => String::new(),
            place => format!("{place}: "),
        };
        Self {
            function: function.id.clone(),
            place,
            fault: fault.into(),
        }
    }

    /// The result of an earlier cargo build is missing.
    pub(super) fn not_built(function: &str, file: PathBuf, profile: &str) -> Self {
        Self {
            function: function.to_owned(),
            place: String::new(),
            fault: ExecutableError::NotBuiltByCargo {
                file,
                profile: profile.to_owned(),
            },
        }
    }
}

impl From<FunctionBuildError> for BuildError {
    fn from(error: FunctionBuildError) -> Self {
        Self::Functions(vec![error])
    }
}

/// Why an executable cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutableError {
    /// The tool of its `BuildMethod` failed.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// A function of a language runtime cannot be prepared.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// There is no such file.
    #[error(
        "there is no executable {}. Build it there, or let usher build it: `Metadata: \
         {{BuildMethod: rust-cargolambda}}` for a cargo package, go1.x or makefile for others.",
        .0.display()
    )]
    Missing(PathBuf),
    /// No earlier build by a tool wrote this file.
    #[error("{} has not been built. Leave --no-build out.", .0.display())]
    NotBuilt(PathBuf),
    /// No earlier build by cargo wrote this file.
    #[error(
        "{} has not been built. Leave --no-build out, or run cargo build --profile {profile}.",
        .file.display()
    )]
    NotBuiltByCargo {
        /// The file.
        file: PathBuf,
        /// Profile of the build.
        profile: String,
    },
    /// The tool succeeded and did not write this file.
    #[error("its build wrote no executable {}.", .0.display())]
    NotWritten(PathBuf),
    /// The file cannot be read.
    #[error("{}: {error}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The reason.
        #[source]
        error: io::Error,
    },
    /// The file's mode does not allow this.
    #[error("{file} may not be executed. Run `chmod +x {file}`.", file = .0.display())]
    NotExecutable(PathBuf),
    /// The file is for another architecture.
    #[error(
        "{} is built for {machine}, and this machine is {}. Build it for this machine.",
        .file.display(),
        std::env::consts::ARCH
    )]
    OtherMachine {
        /// The file.
        file: PathBuf,
        /// Its architecture.
        machine: &'static str,
    },
    /// The file is neither ELF nor a script.
    #[error("{} is not a Linux executable. Build it for this machine.", .0.display())]
    NotLinux(PathBuf),
}

/// Why `make` or `go` built nothing.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The results of an earlier build cannot be removed.
    #[error("cannot empty {}: {error}", .folder.display())]
    Empty {
        /// Folder of the results.
        folder: PathBuf,
        /// The reason.
        #[source]
        error: io::Error,
    },
    /// The folder of the results cannot be created.
    #[error("cannot create {}: {error}", .folder.display())]
    Create {
        /// Folder of the results.
        folder: PathBuf,
        /// The reason.
        #[source]
        error: io::Error,
    },
    /// The tool cannot be started.
    #[error(
        "{program} cannot be run in {}: {error}. Install it, or use --no-build with an executable \
         that exists.",
        .folder.display()
    )]
    NotRun {
        /// The tool.
        program: String,
        /// Its working directory.
        folder: PathBuf,
        /// The reason.
        #[source]
        error: io::Error,
    },
    /// The build failed.
    #[error("`{command}` fails in {}:\n\n{output}", .folder.display())]
    Failed {
        /// The command.
        command: String,
        /// Its working directory.
        folder: PathBuf,
        /// What it printed.
        output: String,
    },
    /// The tool does not report its version.
    #[error("`{command}` fails: {output}")]
    Version {
        /// The command.
        command: String,
        /// What it printed as an error.
        output: String,
    },
}

/// Why the binary of a function is not found in its workspace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BinaryError {
    /// The folder is outside of the workspace's packages.
    #[error(
        "{} is neither a package of the workspace {} nor its root. Add it to `members` there.",
        .folder.display(),
        .root.display()
    )]
    NoMember {
        /// The function's folder.
        folder: PathBuf,
        /// Root of the workspace.
        root: PathBuf,
    },
    /// No package has a binary of this name.
    #[error(
        "there is no binary {name} in {}. The binaries are: {known}. Name one in Metadata \
         BuildProperties Binary.",
        .folder.display()
    )]
    Unknown {
        /// The name.
        name: String,
        /// The function's folder.
        folder: PathBuf,
        /// The binaries, with their packages.
        known: String,
    },
    /// Several packages have a binary of this name.
    #[error(
        "several packages of {} have a binary {name}: {known}. Write the folder of the package as \
         CodeUri.",
        .folder.display()
    )]
    Ambiguous {
        /// The name.
        name: String,
        /// The function's folder.
        folder: PathBuf,
        /// The binaries, with their packages.
        known: String,
    },
    /// The template names no binary, and there is not exactly one.
    #[error(
        "the workspace {} has not just one binary, but: {known}. Name one in Metadata \
         BuildProperties Binary, or write the folder of its package as CodeUri.",
        .folder.display()
    )]
    NotOne {
        /// The function's folder.
        folder: PathBuf,
        /// The binaries, with their packages.
        known: String,
    },
}

/// One error a line.
fn lines(errors: &[impl fmt::Display]) -> String {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.join("\n")
}
