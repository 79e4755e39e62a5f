//! A file in the state folder by which a running host is found.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::definition::Definition;
use crate::model::Function;

const FILE: &str = "host.json";

/// Where a host is. The file is removed with the value; one that a killed host left is noticed when nobody of this id answers.
#[derive(Debug)]
pub struct Beacon(PathBuf);

/// What stands in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Identifies the run.
    pub(super) id: String,
    /// Where the Invoke API listens.
    pub(super) invoke: SocketAddr,
    /// What its functions were started with, by logical id.
    #[serde(default)]
    pub(super) functions: BTreeMap<String, Definition>,
}

/// The functions of a run as its file shows them. Taken before the host adds what is of this run alone.
#[derive(Debug, Clone)]
pub struct Definitions {
    id: String,
    functions: BTreeMap<String, Definition>,
}

impl Definitions {
    /// Of the run with this id; `executables` is by logical id.
    pub fn of(
        id: &str,
        functions: &BTreeMap<String, Function>,
        executables: &BTreeMap<String, PathBuf>,
    ) -> Self {
        let functions = functions.iter().map(|(name, function)| {
            (
                name.clone(),
                Definition::of(function, executables.get(name).cloned(), id),
            )
        });
        Self {
            id: id.to_owned(),
            functions: functions.collect(),
        }
    }

    /// Identifies the run.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Beacon {
    /// Writes the file, for this user only.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn light(state: &Path, run: &Definitions, invoke: SocketAddr) -> std::io::Result<Self> {
        let file = state.join(FILE);
        let half = state.join("host.new");
        let text = serde_json::to_vec(&Place {
            id: run.id.clone(),
            invoke,
            functions: run.functions.clone(),
        })?;
        std::fs::OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&half)?
            .write_all(&text)?;
        std::fs::rename(half, &file)?;
        Ok(Self(file))
    }
}

impl Drop for Beacon {
    fn drop(&mut self) {
        // one that is gone already needs no removal
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The host that a state folder speaks of.
pub(super) fn seen(state: &Path) -> Option<Place> {
    strict_json::from_slice(&std::fs::read(state.join(FILE)).ok()?).ok()
}
