//! The store of events: one thread reads and writes their file, with one commit for all pending
//! changes. Requests are served in order: a read sees every earlier change.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::disk::{Disk, OpenDatabase, open_file};
use super::error::{EventStoreError, OpenError};
use event_sources::asynchronous::{AcceptedEvent, EventId};

/// Pause before failed changes are repeated while no request arrives.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// Maximum of requests in one commit.
const MAX_BATCH: usize = 1_024;

/// The answer of the last attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answered {
    /// The error message, if the attempt failed.
    pub(super) error: Option<String>,
    /// The body of the answer or error.
    pub(super) body: String,
}

/// A change. The changes of a request are atomic.
#[derive(Debug)]
pub(super) enum EventChange {
    Add(EventId, AcceptedEvent, Bytes),
    Update(EventId, AcceptedEvent, Option<Answered>),
    Remove(EventId),
}

/// The payload of an event, and the answer of its last attempt.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) payload: Bytes,
    pub(super) answered: Option<Answered>,
}

enum Request {
    Change(
        Vec<EventChange>,
        oneshot::Sender<Result<(), EventStoreError>>,
    ),
    Read(EventId, oneshot::Sender<Result<Stored, EventStoreError>>),
}

/// Events of an earlier run, by age.
pub(super) type StoredEvents = Vec<(EventId, AcceptedEvent)>;

/// Handle of the thread, which closes the file once all copies are dropped.
#[derive(Debug, Clone)]
pub(super) struct EventStore(Sender<Request>);

impl EventStore {
    /// Opens the file in this folder: see [`Disk::open`].
    ///
    /// # Errors
    /// The file that cannot be used, the reason and the remedy.
    pub(super) fn open(folder: &Path) -> Result<(Self, StoredEvents, JoinHandle<()>), OpenError> {
        Self::open_with(folder, open_file())
    }

    pub(super) fn open_with(
        folder: &Path,
        open: OpenDatabase,
    ) -> Result<(Self, StoredEvents, JoinHandle<()>), OpenError> {
        let (disk, found) = Disk::open(folder, open)?;
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new()
            .name("events".into())
            .spawn(move || serve(disk, &receiver));
        Ok((Self(sender), found, thread.map_err(OpenError::Thread)?))
    }

    /// Applies these changes atomically, before any later request. The returned future resolves
    /// once they are on disk; it may be dropped.
    pub(super) fn change(
        &self,
        changes: Vec<EventChange>,
    ) -> impl Future<Output = Result<(), EventStoreError>> + use<> {
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

    /// Reads an event.
    pub(super) async fn read(&self, id: EventId) -> Result<Stored, EventStoreError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Request::Read(id, reply)).or_else(|_| gone())?;
        answer.await.unwrap_or_else(|_| gone())
    }
}

fn gone<T>() -> Result<T, EventStoreError> {
    Err(EventStoreError::Ended)
}

fn serve(mut disk: Disk, requests: &Receiver<Request>) {
    // Failed changes, by event. They precede all others: memory has moved on, and a later start
    // would find events that have ended.
    let mut failed: BTreeMap<EventId, EventChange> = BTreeMap::new();
    loop {
        let first = if failed.is_empty() {
            requests.recv().map_err(RecvTimeoutError::from)
        } else {
            requests.recv_timeout(RETRY_PAUSE)
        };
        // all handles are dropped: failed changes are repeated a last time
        let last = matches!(first, Err(RecvTimeoutError::Disconnected));
        let batch = first.into_iter().chain(requests.try_iter());
        let (mut changes, mut reads) = (Vec::new(), Vec::new());
        for request in batch.take(MAX_BATCH) {
            match request {
                Request::Change(all, reply) => changes.push((all, reply)),
                Request::Read(id, reply) => reads.push((id, reply)),
            }
        }
        let new = changes.iter().flat_map(|(all, _)| all);
        let all: Vec<&EventChange> = failed.values().chain(new).collect();
        let done = if all.is_empty() {
            Ok(())
        } else {
            disk.change(&all)
        };
        if done.is_ok() {
            failed.clear();
        }
        // the receivers of replies may be dropped
        for (all, reply) in changes {
            if let Err(error) = &done {
                tracing::error!(
                    alarm = "event_store_write_failed",
                    "a change of events is not on disk: {error}"
                );
                for change in all {
                    keep(&mut failed, change);
                }
            }
            drop(reply.send(done.clone()));
        }
        for (id, reply) in reads {
            let stored = disk
                .read(id)
                .and_then(|stored| stored.ok_or(EventStoreError::NoEvent(id)));
            drop(reply.send(stored));
        }
        if last {
            return;
        }
    }
}

/// Keeps a failed change. A failed addition is removed again, since the failed write may have
/// reached the disk.
fn keep(failed: &mut BTreeMap<EventId, EventChange>, change: EventChange) {
    let (id, change) = match change {
        EventChange::Add(id, ..) | EventChange::Remove(id) => (id, EventChange::Remove(id)),
        EventChange::Update(id, entry, answered) => {
            let before = match failed.remove(&id) {
                Some(EventChange::Update(_, _, before)) => before,
                _ => None,
            };
            (id, EventChange::Update(id, entry, answered.or(before)))
        }
    };
    failed.insert(id, change);
}
