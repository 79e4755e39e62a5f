//! Who works with a checkout and with an environment: one run at a time.
//!
//! Two locks, both of which end with the process that holds them. One run of `demo` or `up` has the data folder, which records
//! the environments of earlier runs. One process has an environment on the servers, whatever checkout it comes from. And a host
//! locks its state folder while it runs, so an environment whose host lives is recognised as well.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sqlx::{Connection, PgConnection, query_scalar};

use crate::place::Servers;

/// Locked while a run has the data folder; holds its process id. scripts/run locks it as well, before it builds.
const LOCK: &str = "ticket-rush.lock";

/// Locked by `usher` while a host of the state folder runs; holds the host's process id.
const HOST_LOCK: &str = "host.lock";

/// The data folder, held by this process.
#[derive(Debug)]
pub struct Checkout(#[expect(dead_code, reason = "holds the lock")] File);

impl Checkout {
    /// Takes the data folder, making it if need be. An error where another run has it.
    pub fn claim(data: &Path) -> Result<Self> {
        std::fs::create_dir_all(data)
            .with_context(|| format!("{} cannot be made", data.display()))?;
        let path = data.join(LOCK);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let mut file = file.with_context(|| format!("{} cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "another run of demo or up works in {}{}. Wait until it ends, or end it; nothing of it was touched",
                data.display(),
                written(&path)
                    .map(|process| format!(" (process {process})"))
                    .unwrap_or_default()
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} cannot be locked", path.display()));
            }
        }
        file.set_len(0)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self(file))
    }
}

/// An environment on the servers, held by this process as long as its database connection lasts.
#[derive(Debug)]
pub struct Owned(#[expect(dead_code, reason = "the lock belongs to its session")] PgConnection);

impl Owned {
    /// Takes the environment; `None` where another process has it.
    pub async fn claim(servers: &Servers, prefix: &str) -> Result<Option<Self>> {
        let mut db = PgConnection::connect(&servers.database_url)
            .await
            .context("PostgreSQL does not answer")?;
        let taken: bool = query_scalar(include_str!("claim.sql"))
            .bind(prefix)
            .fetch_one(&mut db)
            .await?;
        Ok(taken.then_some(Self(db)))
    }
}

/// The process of the host that runs with this state folder; `None` where none does. A process id of 0: it could not be read.
pub fn host_of(state: &Path) -> Result<Option<u32>> {
    let path: PathBuf = state.join(HOST_LOCK);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("{} cannot be read", path.display()));
        }
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(written(&path).unwrap_or(0))),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be locked", path.display()))
        }
    }
}

/// The process id in a lock file.
fn written(lock: &Path) -> Option<u32> {
    std::fs::read_to_string(lock).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkout_has_one_run_at_a_time() {
        let data = tempfile::tempdir().unwrap();
        let first = Checkout::claim(data.path()).unwrap();
        let refused = Checkout::claim(data.path()).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("process {}", std::process::id())),
            "{refused}"
        );
        drop(first);
        Checkout::claim(data.path()).unwrap();
    }

    #[test]
    fn a_host_that_lives_is_recognised() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(host_of(state.path()).unwrap(), None);
        let mut lock = File::create(state.path().join(HOST_LOCK)).unwrap();
        assert_eq!(host_of(state.path()).unwrap(), None);
        lock.try_lock().unwrap();
        writeln!(lock, "42").unwrap();
        assert_eq!(host_of(state.path()).unwrap(), Some(42));
    }
}
