//! Paths of the checkout and the programs.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

pub use crate::servers::Servers;

/// A checkout and the programs built from it.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// Folder with template.yaml.
    pub root: PathBuf,
    /// Folder with `usher`, `ticket-audit` and the functions.
    pub programs: PathBuf,
}

impl Checkout {
    /// Finds the checkout around the current folder, and the programs beside the running one.
    pub fn find() -> Result<Self> {
        let here = env::current_dir().context("the current folder cannot be read")?;
        let is_root = |folder: &&Path| folder.join("template.yaml").is_file();
        let root = here.ancestors().find(is_root).with_context(|| {
            let here = here.display();
            format!("no template.yaml in {here} or above it: run this inside the checkout")
        })?;
        let this = env::current_exe().context("the running program's path is unknown")?;
        // Tests run from a folder below the one of the programs.
        let mut folders = this.ancestors().skip(1);
        let programs = folders.find(|folder| !folder.ends_with("deps"));
        Ok(Self {
            root: root.to_owned(),
            programs: programs.unwrap_or(Path::new("/")).to_owned(),
        })
    }

    /// Path of a program. The error names the command that builds it.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        let path = self.programs.join(name);
        ensure!(
            path.is_file(),
            "{} is not built: cargo build --workspace --profile local",
            path.display()
        );
        Ok(path)
    }

    /// Cargo profile of the programs: the name of their folder, except for `dev`.
    pub fn profile(&self) -> &str {
        match self.programs.file_name().and_then(|n| n.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        }
    }

    /// Cargo's target folder of the programs.
    pub fn target(&self) -> &Path {
        self.programs.parent().unwrap_or(&self.programs)
    }

    /// Data folder of the runs on the servers that `USHER_SERVERS` names: a set of scripts/servers
    /// other than the first has its own.
    pub fn server_data(&self) -> PathBuf {
        let set = env::var("USHER_SERVERS").unwrap_or_default();
        match set.as_str() {
            "tls" | "failover" => self.data().join(set),
            _ => self.data(),
        }
    }

    /// Data folder of all runs.
    pub fn data(&self) -> PathBuf {
        env::var_os("USHER_DATA").map_or_else(|| self.root.join(".data"), PathBuf::from)
    }
}
