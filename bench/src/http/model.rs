//! The two ways in which a host runs a function, and the settings for each.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ticket_rush::locations::Checkout;

/// Processes of storefront in the concurrent model, and requests of each at the same time, as in
/// usher.toml.
const PROCESSES: usize = 2;
const REQUESTS: usize = 64;

/// How the storefront runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    /// A process for each request in flight.
    Classic,
    /// Few processes with many requests each, as on Lambda Managed Instances.
    Concurrent,
}

impl Model {
    /// Requests that the storefront takes at the same time, for this number of clients.
    pub(super) fn capacity(self, clients: usize) -> usize {
        match self {
            Self::Classic => clients + 2,
            Self::Concurrent => PROCESSES * REQUESTS,
        }
    }

    /// Writes the checkout's template and settings into a folder, with the storefront in this
    /// model. Returns the path of the template.
    pub(super) fn write(self, checkout: &Checkout, folder: &Path) -> Result<PathBuf> {
        let read = |name: &str| {
            let file = checkout.root.join(name);
            fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))
        };
        let functions = format!("CodeUri: {}/functions/", checkout.root.display());
        let template = read("template.yaml")?.replace("CodeUri: functions/", &functions);
        let settings = without_functions(&read("usher.toml")?);
        let storefront = match self {
            Self::Classic => String::new(),
            Self::Concurrent => format!(
                "\n[functions.Storefront]\nmax-concurrency = {REQUESTS}\ninstances = {PROCESSES}\n"
            ),
        };
        let file = folder.join("template.yaml");
        fs::write(&file, template)?;
        fs::write(folder.join("usher.toml"), settings + &storefront)?;
        Ok(file)
    }
}

/// The settings without the tables that say how functions run.
fn without_functions(settings: &str) -> String {
    let mut kept = true;
    let mut rest = String::new();
    for line in settings.lines() {
        if line.starts_with('[') {
            kept = !line.starts_with("[functions.");
        }
        if kept {
            rest += line;
            rest.push('\n');
        }
    }
    rest
}
