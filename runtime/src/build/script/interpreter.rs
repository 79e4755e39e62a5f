//! The interpreters of this machine.

use std::collections::BTreeSet;
use std::env;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::ScriptError;
use sam_template::model::Language;

/// A program that runs a language.
#[derive(Debug)]
pub(super) struct Interpreter {
    pub(super) language: Language,
    /// Absolute path.
    pub(super) program: PathBuf,
    /// As it reports it: `3.11.7`, `20.20.2`.
    pub(super) version: String,
}

/// Languages of which there is an interpreter in `PATH`.
pub fn languages() -> BTreeSet<Language> {
    [Language::Python, Language::Node]
        .into_iter()
        .filter(|language| in_path(language.program()).next().is_some())
        .collect()
}

impl Interpreter {
    /// The interpreter for a runtime: that of its own version if there is one, else the machine's
    /// usual one.
    pub(super) fn find(language: Language, runtime: &str) -> Result<Self, ScriptError> {
        let own = language.version(runtime).unwrap_or_default();
        let names = match language {
            Language::Python => vec![format!("python{own}"), "python3".to_owned()],
            Language::Node => vec![format!("node{own}"), "node".to_owned()],
        };
        let programs = names.iter().flat_map(|name| in_path(name));
        let found: Vec<Self> = programs
            .filter_map(|program| {
                let version = version(language, &program)?;
                Some(Self {
                    language,
                    program,
                    version,
                })
            })
            .collect();
        let exact = found
            .iter()
            .position(|interpreter| interpreter.release() == own);
        found
            .into_iter()
            .nth(exact.unwrap_or(0))
            .ok_or(ScriptError::NoInterpreter {
                program: language.program(),
                language: language.name(),
            })
    }

    /// The part of the version that a `Runtime` names: `3.11`, `20`.
    pub(super) fn release(&self) -> &str {
        let parts = match self.language {
            Language::Python => 2,
            Language::Node => 1,
        };
        let end = self.version.match_indices('.').nth(parts - 1);
        end.map_or(&self.version, |(at, _)| &self.version[..at])
    }

    /// What to print if this is not the version of the runtime.
    pub(super) fn differs(&self, runtime: &str) -> Option<String> {
        let own = self.language.version(runtime)?;
        (own != self.release()).then(|| {
            format!(
                "warning: {runtime} runs on {} here, as {} {own} is not in PATH",
                self.shown(),
                self.language.name()
            )
        })
    }

    /// Name and version.
    pub(super) fn shown(&self) -> String {
        format!("{} {}", self.language.name(), self.version)
    }
}

/// Executable files of this name in the folders of `PATH`, as absolute paths.
fn in_path(name: &str) -> impl Iterator<Item = PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&folders).collect();
    let name = name.to_owned();
    folders.into_iter().filter_map(move |folder| {
        let file = std::path::absolute(folder.join(&name)).ok()?;
        is_executable(&file).then_some(file)
    })
}

fn is_executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// `None`: the program does not run. A shim of a version manager may exist without its version.
fn version(language: Language, program: &Path) -> Option<String> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let text = text.trim();
    let version = match language {
        Language::Python => text.strip_prefix("Python ")?,
        Language::Node => text.strip_prefix('v')?,
    };
    output.status.success().then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(version: &str) -> Interpreter {
        Interpreter {
            language: Language::Python,
            program: "/usr/bin/python3".into(),
            version: version.to_owned(),
        }
    }

    #[test]
    fn another_version_is_reported() {
        assert_eq!(python("3.11.7").release(), "3.11");
        assert_eq!(python("3.11.7").differs("python3.11"), None);
        let note = python("3.11.7").differs("python3.12").unwrap();
        assert!(
            note.contains("python3.12") && note.contains("Python 3.11.7"),
            "{note}"
        );
    }

    #[test]
    fn a_version_that_is_not_there_has_a_substitute() {
        let found = Interpreter::find(Language::Python, "python3.99").unwrap();
        assert!(found.version.starts_with("3."), "{found:?}");
    }
}
