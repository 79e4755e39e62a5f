//! What the current part has created on the servers. A part removes its own at its end; if it
//! fails before, they are removed here.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use ticket_rush::locations::Servers;
use ticket_rush::{remove, topics};
use tokio::time::timeout;

/// Something that outlives the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// Schema, keys and topics of this prefix.
    Environment(String),
    /// Keys of this prefix.
    Keys(String),
    Topic(String),
}

/// Maximum time of a removal: a process that has been killed may still hold a lock.
const PATIENCE: Duration = Duration::from_secs(30);

static CREATED: Mutex<Vec<Leftover>> = Mutex::new(Vec::new());

/// Notes what is about to be created. Removing what does not exist is no error.
pub(crate) fn note(leftover: Leftover) {
    created().push(leftover);
}

/// Forgets all: the part has removed them.
pub(crate) fn forget() {
    created().clear();
}

/// Removes all. What cannot be removed is named on standard error.
pub(crate) async fn remove_all() {
    let all = std::mem::take(&mut *created());
    let servers = Servers::from_env();
    for leftover in all.iter().rev() {
        let removed = timeout(PATIENCE, leftover.remove(&servers)).await;
        let removed = removed.context("it takes too long");
        if let Err(error) = removed.flatten() {
            eprintln!("bench: {leftover:?} is not removed: {error:#}");
        }
    }
}

impl Leftover {
    async fn remove(&self, servers: &Servers) -> Result<()> {
        match self {
            Self::Environment(prefix) => remove::remove(servers, prefix).await,
            Self::Keys(prefix) => remove::keys(servers, prefix).await,
            Self::Topic(topic) => topics::remove(servers, topic).await,
        }
    }
}

fn created() -> MutexGuard<'static, Vec<Leftover>> {
    CREATED.lock().unwrap_or_else(PoisonError::into_inner)
}
