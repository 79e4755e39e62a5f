//! Why a function of Python or Node.js cannot be prepared.

use std::io;
use std::path::{Path, PathBuf};

/// Why a function of Python or Node.js cannot be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// No interpreter of the language runs.
    #[error("{program} cannot be run. Install {language}, or remove the function's trigger.")]
    NoInterpreter {
        /// The program.
        program: &'static str,
        /// The language.
        language: &'static str,
    },
    /// AWS' client does not exist for so old an interpreter.
    #[error(
        "AWS' runtime interface client needs {language} {least} or newer, and {program} is \
         {version}."
    )]
    TooOld {
        /// The language.
        language: &'static str,
        /// The least version.
        least: String,
        /// The program.
        program: PathBuf,
        /// Its version.
        version: String,
    },
    /// A command cannot be started.
    #[error("{program} cannot be run: {error}. {remedy}")]
    NotRun {
        /// The program.
        program: String,
        /// The reason.
        #[source]
        error: io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// A command failed.
    #[error("`{command}` fails:\n\n{output}\n\n{remedy}")]
    Failed {
        /// The command.
        command: String,
        /// The end of what it printed.
        output: String,
        /// What to do.
        remedy: &'static str,
    },
    /// `package.json` is not JSON.
    #[error("{} is not JSON: {error}.", .file.display())]
    Manifest {
        /// The file.
        file: PathBuf,
        /// The reason.
        #[source]
        error: serde_json::Error,
    },
    /// A file cannot be read or written.
    #[error("{}: {error}", .file.display())]
    File {
        /// The file or folder.
        file: PathBuf,
        /// The reason.
        #[source]
        error: io::Error,
    },
}

impl ScriptError {
    /// An error of a file or folder.
    pub(super) fn file(file: &Path) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |error| Self::File { file, error }
    }
}
