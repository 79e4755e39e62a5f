//! Programs in the Python environments that `scripts/setup` makes.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A Python environment, named by its variable in `scripts/lib/python.sh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tools {
    /// aws-sam-cli and the AWS command line.
    Aws,
    /// `DuckDB`, and moto: a server with the API of S3.
    Files,
}

impl Tools {
    /// Path of one of its programs.
    ///
    /// # Panics
    /// If the environment is not complete.
    pub fn program(self, name: &str) -> PathBuf {
        let variable = match self {
            Self::Aws => "PYTHON_TOOLS",
            Self::Files => "FILES_TOOLS",
        };
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/lib");
        let script = format!(
            "for part in say places python; do source \"$0/$part.sh\"; done; printf %s \"${variable}\""
        );
        let output = Command::new("bash")
            .args(["-c", &script])
            .arg(scripts)
            .output()
            .expect("bash runs");
        let folder = PathBuf::from(String::from_utf8(output.stdout).expect("a path"));
        assert!(
            folder.join("complete").exists(),
            "{} is not there: run scripts/setup",
            folder.display()
        );
        folder.join("bin").join(name)
    }
}
