//! What `requirements.txt` or `package.json` names, installed into a folder of its own, as `sam
//! build` does. A file that has not changed is not installed again.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::ScriptError;
use super::client::{Program, npm};
use super::command::run;
use super::interpreter::Interpreter;
use super::snapshot::Snapshot;
use sam_template::model::Language;

/// Marks a complete installation.
const COMPLETE: &str = ".complete";

/// Files that state the packages; the first decides whether there are any.
const PYTHON: [&str; 1] = ["requirements.txt"];
const NODE: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

const PIP: &str = "Mend requirements.txt, or connect this machine to the Python package index.";
const NPM: &str = "Mend package.json, or connect this machine to the npm registry.";

/// The packages of one function.
#[derive(Debug)]
pub(super) struct Packages<'c> {
    key: String,
    folder: PathBuf,
    /// Names and bytes of the files that state them.
    files: Vec<(&'c str, &'c [u8])>,
    source: Option<&'c Path>,
}

impl<'c> Packages<'c> {
    /// `None`: the function names no packages.
    pub(super) fn of(
        content: &'c Snapshot,
        interpreter: &Interpreter,
        builds: &Path,
    ) -> Result<Option<Self>, ScriptError> {
        let names = match interpreter.language {
            Language::Python => &PYTHON[..],
            Language::Node => &NODE[..],
        };
        let files: Vec<(&str, &[u8])> = names
            .iter()
            .filter_map(|name| Some((*name, content.code_file(name)?)))
            .collect();
        let Some((first, text)) = files.first().filter(|(name, _)| *name == names[0]) else {
            return Ok(None);
        };
        let wanted = match interpreter.language {
            Language::Python => is_any_required(text),
            Language::Node => has_dependencies(&content.code_path(first), text)?,
        };
        if !wanted {
            return Ok(None);
        }
        let mut digest = Sha256::new().chain_update(interpreter.release());
        for (name, bytes) in &files {
            digest.update(name);
            digest.update([0]);
            digest.update(bytes);
        }
        let key = format!("packages-{}", hex::encode(&digest.finalize()[..8]));
        Ok(Some(Self {
            folder: builds.join(&key),
            key,
            files,
            source: content.source.as_deref(),
        }))
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn installed(&self) -> bool {
        self.folder.join(COMPLETE).is_file()
    }

    /// Installs the packages unless they are there. Blocks.
    pub(super) fn install(&self, function: &str, program: &Program) -> Result<(), ScriptError> {
        if self.installed() {
            return Ok(());
        }
        let folder = &self.folder;
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(ScriptError::file(folder))?;
        }
        fs::create_dir_all(folder).map_err(ScriptError::file(folder))?;
        eprintln!(
            "installing the packages of {function} ({})",
            self.files[0].0
        );
        match program {
            Program::Python(_) => {
                let mut pip = program.pip();
                pip.arg("--requirement").arg(PYTHON[0]);
                pip.arg("--target").arg(folder);
                // a requirement may name a file beside it
                run(pip.current_dir(self.source.unwrap_or(folder)), PIP)?;
            }
            Program::Node { node, .. } => {
                for (name, bytes) in &self.files {
                    let file = folder.join(name);
                    fs::write(&file, bytes).map_err(ScriptError::file(&file))?;
                }
                run(npm(node).current_dir(folder), NPM)?;
            }
        }
        let complete = folder.join(COMPLETE);
        fs::write(&complete, "").map_err(ScriptError::file(&complete))
    }
}

/// Whether a `requirements.txt` has more than comments.
fn is_any_required(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let mut lines = text.lines().map(str::trim);
    lines.any(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Whether a `package.json` names packages that the function needs at run time.
fn has_dependencies(file: &Path, text: &[u8]) -> Result<bool, ScriptError> {
    let manifest: serde_json::Value =
        strict_json::from_slice(text).map_err(|error| ScriptError::Manifest {
            file: file.to_owned(),
            error,
        })?;
    let any = |key: &str| manifest[key].as_object().is_some_and(|all| !all.is_empty());
    Ok(any("dependencies") || any("optionalDependencies"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_packages_install_nothing() {
        assert!(!is_any_required(b"\n# none yet\n"));
        assert!(is_any_required(b"# one\nrequests==2.0\n"));
        let any = |text: &[u8]| has_dependencies(Path::new("package.json"), text);
        assert!(!any(br#"{"type": "module", "devDependencies": {"jest": "1"}}"#).unwrap());
        assert!(any(br#"{"dependencies": {"ms": "2"}}"#).unwrap());
        let wrong = any(b"{").unwrap_err().to_string();
        assert!(wrong.contains("package.json is not JSON"), "{wrong}");
    }
}
