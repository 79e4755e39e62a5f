//! Locks on the data folder and on an environment. They end with the process that holds them.
//!
//! One run of `demo` or `up` at a time holds the data folder, which records the environments of
//! earlier runs. One process at a time holds an environment on the servers, from whichever
//! checkout. A host also locks its state folder, which shows whether the host of an environment
//! still runs.

use std::fs::{File, TryLockError, create_dir_all};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sqlx::{Connection, PgConnection, query_scalar};

use crate::locations::Servers;

/// Lock file of the data folder, with the process id of its run. scripts/run locks it as well,
/// before it builds.
const LOCK: &str = "ticket-rush.lock";

/// Lock file of `usher` in its state folder, with the process id of the host.
const HOST_LOCK: &str = "host.lock";

/// Lock on the data folder.
#[derive(Debug)]
pub struct DataFolderLock(#[expect(dead_code, reason = "holds the lock")] File);

impl DataFolderLock {
    /// Locks the data folder, which is created if missing. Fails if another run holds it.
    pub fn claim(data: &Path) -> Result<Self> {
        create_dir_all(data).with_context(|| format!("cannot create {}", data.display()))?;
        let path = data.join(LOCK);
        let file = File::options().create(true).append(true).open(&path);
        let mut file = file.with_context(|| format!("cannot open {}", path.display()))?;
        if is_locked(&path, file.try_lock())? {
            let (data, process) = (data.display(), process_id(&path));
            let process = process.map_or(String::new(), |process| format!(" (process {process})"));
            bail!(
                "another run of demo or up uses {data}{process}. Wait until it ends, or end it; \
                 nothing of it was touched"
            );
        }
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self(file))
    }
}

/// Lock on an environment. It lasts as long as its database connection.
#[derive(Debug)]
pub struct EnvironmentLock(pub(crate) PgConnection);

impl EnvironmentLock {
    /// Locks the environment. Returns `None` if another process holds it.
    pub async fn claim(servers: &Servers, prefix: &str) -> Result<Option<Self>> {
        let db = PgConnection::connect_with(&servers.database()?).await;
        let mut db = db.context("PostgreSQL does not answer")?;
        let claim = query_scalar(include_str!("claim.sql")).bind(prefix);
        let taken: bool = claim.fetch_one(&mut db).await?;
        Ok(taken.then_some(Self(db)))
    }
}

/// Process id of the host that runs with this state folder, if any; 0 if it cannot be read.
pub fn host_of(state: &Path) -> Result<Option<u32>> {
    let path = state.join(HOST_LOCK);
    let unreadable = || format!("cannot read {}", path.display());
    if !path.try_exists().with_context(unreadable)? {
        return Ok(None);
    }
    let file = File::open(&path).with_context(unreadable)?;
    let runs = is_locked(&path, file.try_lock_shared())?;
    Ok(runs.then(|| process_id(&path).unwrap_or(0)))
}

/// Whether another process holds the lock of this file.
fn is_locked(path: &Path, lock: Result<(), TryLockError>) -> Result<bool> {
    match lock {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// The process id in a lock file.
fn process_id(lock: &Path) -> Option<u32> {
    std::fs::read_to_string(lock).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_folder_has_one_run_at_a_time() {
        let data = tempfile::tempdir().unwrap();
        let first = DataFolderLock::claim(data.path()).unwrap();
        let refused = DataFolderLock::claim(data.path()).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("process {}", std::process::id())),
            "{refused}"
        );
        drop(first);
        DataFolderLock::claim(data.path()).unwrap();
    }

    #[test]
    fn a_running_host_is_recognised() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(host_of(state.path()).unwrap(), None);
        let mut lock = File::create(state.path().join(HOST_LOCK)).unwrap();
        assert_eq!(host_of(state.path()).unwrap(), None);
        lock.try_lock().unwrap();
        writeln!(lock, "42").unwrap();
        assert_eq!(host_of(state.path()).unwrap(), Some(42));
    }
}
