//! The state folder of one host: locked while the host runs, with the host's identity.
//!
//! The lock is the kernel's and ends with the process, however it ends. The identity is random and
//! stays in the folder: a restarted host is the same member of its consumer groups, and two folders
//! are two hosts, even of one template. A copied folder gets an identity of its own.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Locked while a host runs; holds the host's process id.
const LOCK: &str = "host.lock";

/// Holds the identity ([`Identity`], JSON).
const IDENTITY: &str = "host-id";

/// A state folder that this process has locked. Cheap to clone; unlocked when the last clone is
/// dropped.
#[derive(Debug, Clone)]
pub struct StateFolder(Arc<LockedFolder>);

#[derive(Debug)]
struct LockedFolder {
    path: PathBuf,
    host_id: String,
    _lock: File,
}

/// Why a folder cannot be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// A host of this folder runs. `process`: its process id, where it could be read.
    #[error(
        "{} is in use: another usher runs this project{}. End it, or give this one a folder of its \
         own with --state",
        folder.display(),
        process.map(|process| format!(" (process {process})")).unwrap_or_default()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// Process id of the host that has it.
        process: Option<u32>,
    },
    /// The folder or a file in it cannot be used.
    #[error(
        "the state folder {} cannot be used: {}{why}. Mend that, or name another folder with \
         --state",
        folder.display(),
        file.map(|file| format!("{file}: ")).unwrap_or_default()
    )]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// The file in it; `None`: the folder itself.
        file: Option<&'static str>,
        /// The reason.
        #[source]
        why: StateError,
    },
}

/// Why a file of the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not what a host wrote.
    #[error("it is damaged ({0}); remove it to get another identity")]
    Damaged(#[source] serde_json::Error),
}

/// What the identity file holds.
#[derive(Debug, Serialize, Deserialize)]
struct Identity {
    /// 32 hexadecimal digits, random.
    id: String,
    /// Machine and folder of the identity: a copy elsewhere must not use it.
    home: String,
}

impl StateFolder {
    /// Locks the folder, creating it if needed, and reads or creates the identity in it.
    ///
    /// # Errors
    /// Another host has the folder, or it cannot be used.
    pub fn claim(path: &Path) -> Result<Self, ClaimError> {
        let folder = path.to_owned();
        let unusable = |file, why| ClaimError::Unusable {
            folder: path.to_owned(),
            file,
            why,
        };
        create(path).map_err(|error| unusable(None, error.into()))?;
        let mut lock = match lock(&path.join(LOCK)) {
            Ok(lock) => lock,
            Err(TryLockError::WouldBlock) => {
                return Err(ClaimError::InUse {
                    process: process(path),
                    folder,
                });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(Some(LOCK), error.into())),
        };
        // for the message of another process that tries
        let noted = lock
            .set_len(0)
            .and_then(|()| writeln!(lock, "{}", std::process::id()));
        noted.map_err(|error| unusable(Some(LOCK), error.into()))?;
        let host_id = identity(path).map_err(|why| unusable(Some(IDENTITY), why))?;
        Ok(Self(Arc::new(LockedFolder {
            path: folder,
            host_id,
            _lock: lock,
        })))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The host's identity: 32 hexadecimal digits, the same for every start with this folder, and
    /// another one for every other folder.
    pub fn host_id(&self) -> &str {
        &self.0.host_id
    }
}

/// Creates the folder for this user only. A new one is excluded from version control.
pub(crate) fn create(folder: &Path) -> io::Result<()> {
    let new = !folder.exists();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    if !new {
        return Ok(());
    }
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(folder.join(".gitignore"))
    {
        Ok(mut ignore) => ignore.write_all(b"*\n"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Locks a file until the returned value is dropped, creating it if needed.
pub(crate) fn lock(file: &Path) -> Result<File, TryLockError> {
    let options = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(file);
    let file = options.map_err(TryLockError::Error)?;
    file.try_lock()?;
    Ok(file)
}

/// The process that has locked the folder, if the file names it.
fn process(folder: &Path) -> Option<u32> {
    std::fs::read_to_string(folder.join(LOCK))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Reads the folder's identity; creates one where there is none, or where the folder is a copy. The
/// caller holds the lock.
fn identity(folder: &Path) -> Result<String, StateError> {
    let home = home(folder)?;
    let file = folder.join(IDENTITY);
    let mut text = String::new();
    match File::open(&file).and_then(|mut file| file.read_to_string(&mut text)) {
        Ok(_) => {
            let known: Identity = strict_json::from_str(&text).map_err(StateError::Damaged)?;
            if known.home == home {
                return Ok(known.id);
            }
            tracing::info!(
                "the state folder {} was copied or moved here; this host gets a new identity",
                folder.display()
            );
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let identity = Identity {
        id: hex::encode(rand::random::<[u8; 16]>()),
        home,
    };
    replace(&file, &identity)?;
    Ok(identity.id)
}

/// Replaces a JSON file as a whole, so that a crash leaves the old one or the new one. Only this
/// user can read it.
pub(crate) fn replace(file: &Path, content: &impl Serialize) -> io::Result<()> {
    let unfinished = file.with_extension("new");
    let mut new = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&unfinished)?;
    new.write_all(&serde_json::to_vec_pretty(content)?)?;
    new.sync_all()?;
    std::fs::rename(unfinished, file)?;
    file.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Distinguishes this folder from a copy of it, on this machine or another.
fn home(folder: &Path) -> io::Result<String> {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let folder = std::fs::metadata(folder)?;
    Ok(format!(
        "{} {} {}",
        machine.trim(),
        folder.dev(),
        folder.ino()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_its_host() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let first = StateFolder::claim(&state).unwrap().host_id().to_owned();
        let second = StateFolder::claim(&state).unwrap().host_id().to_owned();
        assert_eq!(first, second);
        assert_eq!(first.len(), 32);
        assert_ne!(
            first,
            StateFolder::claim(&folder.path().join("other"))
                .unwrap()
                .host_id()
        );
    }

    #[test]
    fn a_folder_has_one_host() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::claim(folder.path()).unwrap();
        let copy = state.clone();
        drop(state);
        let refused = StateFolder::claim(folder.path()).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("process {}", std::process::id()))
                && refused.contains("--state"),
            "{refused}"
        );
        drop(copy);
        StateFolder::claim(folder.path()).unwrap();
    }

    #[test]
    fn a_copied_folder_is_another_host() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let copy = folder.path().join("copy");
        let first = StateFolder::claim(&state).unwrap().host_id().to_owned();
        std::fs::create_dir(&copy).unwrap();
        std::fs::copy(state.join(IDENTITY), copy.join(IDENTITY)).unwrap();
        let second = StateFolder::claim(&copy).unwrap().host_id().to_owned();
        assert_ne!(first, second);
        assert_eq!(StateFolder::claim(&copy).unwrap().host_id(), second);
    }

    #[test]
    fn a_damaged_identity_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(IDENTITY), "").unwrap();
        let refused = StateFolder::claim(folder.path()).unwrap_err().to_string();
        assert!(
            refused.contains("host-id") && refused.contains("remove it"),
            "{refused}"
        );
    }
}
