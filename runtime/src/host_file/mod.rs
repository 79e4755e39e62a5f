//! The host file in the state folder, by which commands find a running host.

mod definition;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::state;
use sam_template::model::Function;

pub(crate) use definition::Definition;

const FILE: &str = "host.json";

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostFile {
    /// Identifies the run.
    pub(crate) id: String,
    /// Where the Invoke API listens.
    pub(crate) invoke: SocketAddr,
    /// Where its control port listens; `None`: it has none.
    #[serde(default)]
    pub(crate) control: Option<SocketAddr>,
    /// What its functions were started with, by logical id.
    #[serde(default)]
    pub(crate) functions: BTreeMap<String, Definition>,
}

/// Removes the file when dropped. A killed host leaves it, and nothing answers at its address.
#[derive(Debug)]
pub(crate) struct HostFileGuard(PathBuf);

impl HostFile {
    /// Describes the run `id`. `executables` is by logical id.
    pub(crate) fn new(
        id: String,
        invoke: SocketAddr,
        control: Option<SocketAddr>,
        functions: &BTreeMap<String, Function>,
        executables: &BTreeMap<String, PathBuf>,
    ) -> Self {
        let functions = functions.iter().map(|(name, function)| {
            let executable = executables.get(name).cloned();
            (name.clone(), Definition::of(function, executable, &id))
        });
        Self {
            functions: functions.collect(),
            id,
            invoke,
            control,
        }
    }

    /// Reads the file of a state folder. `None`: there is none that can be read.
    pub(crate) fn read(state: &Path) -> Option<Self> {
        Self::load(state).ok().flatten()
    }

    /// Reads the file of a state folder. `None`: there is none.
    ///
    /// # Errors
    /// The file exists and cannot be read, or it is no host file.
    pub(crate) fn load(state: &Path) -> std::io::Result<Option<Self>> {
        let bytes = match std::fs::read(state.join(FILE)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        strict_json::from_slice(&bytes).map(Some).map_err(|error| {
            std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string())
        })
    }

    /// Writes the file, readable by this user only.
    pub(crate) fn write(&self, folder: &Path) -> std::io::Result<HostFileGuard> {
        let file = folder.join(FILE);
        state::replace(&file, self)?;
        Ok(HostFileGuard(file))
    }
}

impl Drop for HostFileGuard {
    fn drop(&mut self) {
        // an error means that the file is gone already
        let _ = std::fs::remove_file(&self.0);
    }
}
