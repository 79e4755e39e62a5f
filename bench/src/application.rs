//! A host that runs a small application of `bench/`, in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ticket_rush::host::{Host, free_address};
use ticket_rush::locations::Checkout;
use tokio::process::Command;

/// A running host, with the folder of its files.
pub(crate) struct Application {
    pub(crate) host: Host,
    folder: PathBuf,
}

impl Application {
    /// Starts a host with this template and usher.toml. `name` names the folder. The programs are
    /// those of this package, whatever `CodeUri` is.
    pub(crate) async fn start(
        checkout: &Checkout,
        name: &str,
        template: &str,
        settings: &str,
        parameters: &[(&str, String)],
    ) -> Result<Self> {
        let folder = folder(checkout, name);
        fs::create_dir_all(&folder)
            .with_context(|| format!("{} cannot be made", folder.display()))?;
        let code = format!("CodeUri: {}", checkout.root.join("bench").display());
        let file = folder.join("template.yaml");
        fs::write(&file, template.replace("CodeUri: ..", &code))?;
        fs::write(folder.join("usher.toml"), settings)?;
        let mut usher = Command::new(checkout.program("usher")?);
        usher
            .current_dir(&folder)
            .args(["up", "--no-build", "--profile", checkout.profile()])
            .arg("--template")
            .arg(&file);
        usher
            .env("CARGO_TARGET_DIR", checkout.target())
            .env("RUST_LOG", "warn");
        let given: Vec<String> = parameters
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !given.is_empty() {
            usher.arg("--parameter-overrides").args(given);
        }
        let control = free_address(([127, 0, 0, 1], 0).into())?;
        let host = Host::start(usher, control, None, &folder.join("usher.log")).await?;
        Ok(Self { host, folder })
    }

    /// Path of a file in its folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Stops it and removes its folder. Keeps the log if it did not stop cleanly.
    pub(crate) async fn stop(self) -> Result<()> {
        self.host.stop().await?;
        fs::remove_dir_all(&self.folder).context("the run's folder cannot be removed")
    }
}

/// Folder of the application with this name.
pub(crate) fn folder(checkout: &Checkout, name: &str) -> PathBuf {
    checkout.data().join("bench").join(name)
}

/// The text of a template of this package.
pub(crate) fn template(checkout: &Checkout, name: &str) -> Result<String> {
    let file = checkout.root.join("bench").join(name).join("template.yaml");
    fs::read_to_string(&file).with_context(|| unreadable(&file))
}

fn unreadable(file: &Path) -> String {
    format!("{} cannot be read", file.display())
}

/// The table of usher.toml that has processes of a function handle several events at a time.
pub(crate) fn managed(function: &str, processes: u32, events: u32) -> String {
    format!("[functions.{function}]\nmax-concurrency = {events}\ninstances = {processes}\n")
}
