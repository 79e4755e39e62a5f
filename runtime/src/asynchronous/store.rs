//! Events on disk: one thread that reads and writes their file, one commit for all who wait at the time.
//!
//! Requests are served in the order they were made: a read sees every change that was asked for before it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::disk::{Disk, Reach, plain};
use event_sources::asynchronous::{AcceptedEvent, EventId};

/// How soon changes that failed are made again while nobody asks for anything.
const AGAIN: Duration = Duration::from_secs(2);

/// Requests that share one commit at most.
const MOST_AT_ONCE: usize = 1_024;

/// What the last try of an event came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answered {
    /// It was an error: its message, else `None`.
    pub(super) error: Option<String>,
    /// The body of answer or error.
    pub(super) body: String,
}

/// A change; several are made together or not at all.
#[derive(Debug)]
pub(super) enum Change {
    Add(EventId, AcceptedEvent, Bytes),
    Update(EventId, AcceptedEvent, Option<Answered>),
    Remove(EventId),
}

/// An event's payload, and what its last try came to.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) payload: Bytes,
    pub(super) answered: Option<Answered>,
}

enum Request {
    Change(Vec<Change>, oneshot::Sender<Result<(), String>>),
    Read(EventId, oneshot::Sender<Result<Stored, String>>),
}

/// Events that an earlier run left, by age.
pub(super) type Found = Vec<(EventId, AcceptedEvent)>;

/// The way to the thread. The file is closed once every copy is gone.
#[derive(Debug, Clone)]
pub(super) struct Store(Sender<Request>);

impl Store {
    /// Opens the file in this folder: see [`Disk::open`].
    ///
    /// # Errors
    /// What cannot be used, why, and what to do.
    pub(super) fn open(folder: &Path) -> Result<(Self, Found, JoinHandle<()>), String> {
        Self::reaching(folder, plain())
    }

    fn reaching(folder: &Path, reach: Reach) -> Result<(Self, Found, JoinHandle<()>), String> {
        let (disk, found) = Disk::open(folder, reach)?;
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("events".into())
            .spawn(move || serve(disk, &receiver));
        let thread = thread
            .map_err(|error| format!("cannot start the thread that keeps events: {error}"))?;
        Ok((Self(sender), found, thread))
    }

    /// Makes these changes together. They are made, or refused, before any request that follows; the answer comes once they are
    /// on disk and may be left unheard.
    pub(super) fn change(
        &self,
        changes: Vec<Change>,
    ) -> impl Future<Output = Result<(), String>> + use<> {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.send(Request::Change(changes, reply));
        async move {
            if sent.is_ok() {
                answer.await.unwrap_or_else(|_| gone())
            } else {
                gone()
            }
        }
    }

    /// What stands on disk.
    pub(super) async fn read(&self, id: EventId) -> Result<Stored, String> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Request::Read(id, reply)).or_else(|_| gone())?;
        answer.await.unwrap_or_else(|_| gone())
    }
}

fn gone<T>() -> Result<T, String> {
    Err("the store of events has ended".into())
}

fn serve(mut disk: Disk, requests: &Receiver<Request>) {
    let mut owed = Owed::default();
    loop {
        let first = if owed.is_empty() {
            requests.recv().ok()
        } else {
            requests.recv_timeout(AGAIN).ok()
        };
        let batch: Vec<Request> = first
            .into_iter()
            .chain(requests.try_iter())
            .take(MOST_AT_ONCE)
            .collect();
        // nobody can ask any more once this is so, and what is owed is tried a last time
        let last =
            batch.is_empty() && matches!(requests.try_recv(), Err(TryRecvError::Disconnected));
        let (changes, reads): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .partition(|request| matches!(request, Request::Change(..)));
        let new = changes.iter().filter_map(|request| {
            if let Request::Change(all, _) = request {
                Some(all)
            } else {
                None
            }
        });
        let all: Vec<&Change> = owed.changes().chain(new.flatten()).collect();
        let done = if all.is_empty() {
            Ok(())
        } else {
            disk.change(&all)
        };
        if done.is_ok() {
            owed = Owed::default();
        }
        for request in changes.into_iter().chain(reads) {
            // who asked may have gone
            match request {
                Request::Change(all, reply) => {
                    if let Err(error) = &done {
                        tracing::error!(
                            alarm = "event_store_write_failed",
                            "a change of events is not on disk: {error}"
                        );
                        owed.add(all);
                    }
                    drop(reply.send(done.clone()));
                }
                Request::Read(id, reply) => {
                    let stored = disk
                        .read(id)
                        .and_then(|stored| stored.ok_or_else(|| format!("there is no event {id}")));
                    drop(reply.send(stored));
                }
            }
        }
        if last {
            return;
        }
    }
}

/// Changes that failed, by event, and have to be made before any other: memory has moved on, and a later start would find events
/// that have ended long ago. One that was refused is taken back, since the failed write may have reached the disk all the same.
#[derive(Debug, Default)]
struct Owed(BTreeMap<EventId, Change>);

impl Owed {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn changes(&self) -> impl Iterator<Item = &Change> {
        self.0.values()
    }

    fn add(&mut self, failed: Vec<Change>) {
        for change in failed {
            let (id, change) = match change {
                Change::Add(id, ..) | Change::Remove(id) => (id, Change::Remove(id)),
                Change::Update(id, entry, answered) => {
                    let before = match self.0.remove(&id) {
                        Some(Change::Update(_, _, before)) => before,
                        _ => None,
                    };
                    (id, Change::Update(id, entry, answered.or(before)))
                }
            };
            self.0.insert(id, change);
        }
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
