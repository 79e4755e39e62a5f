//! Events on disk: one file, one thread that reads and writes it, one commit for all who wait at the time.
//!
//! Requests are served in the order they were made: a read sees every change that was asked for before it.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use bytes::Bytes;
use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, StorageError, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::entry::{Entry, EventId};

/// Name of the file within usher's state folder.
const FILE: &str = "events.redb";

/// Format of the tables; a file of another format is refused rather than misread.
const FORMAT: u64 = 1;

const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
/// [`Entry`] as JSON.
const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
const PAYLOADS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("payloads");
/// [`Answered`] as JSON: what the last try came to.
const ANSWERS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("answers");

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
    Add(EventId, Entry, Bytes),
    Update(EventId, Entry, Option<Answered>),
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
pub(super) type Found = Vec<(EventId, Entry)>;

/// The way to the thread. The file is closed once every copy is gone.
#[derive(Debug, Clone)]
pub(super) struct Store(Sender<Request>);

impl Store {
    /// Opens the file in this folder, making either if need be, for this user only. Returns the events in it as well, by age.
    ///
    /// # Errors
    /// What cannot be used, why, and what to do.
    pub(super) fn open(folder: &Path) -> Result<(Self, Found, JoinHandle<()>), String> {
        let file = folder.join(FILE);
        let shown = file.display();
        let wrong = |error: &dyn std::fmt::Display| {
            format!("cannot keep accepted events in {shown}: {error}. Name another folder with --state")
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| wrong(&error))?;
        // the folder is no part of anybody's source
        std::fs::write(folder.join(".gitignore"), "*\n").map_err(|error| wrong(&error))?;
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&file);
        let backend = FileBackend::new(options.map_err(|error| wrong(&error))?);
        let mut database = match backend.and_then(|backend| Database::builder().create_with_backend(backend)) {
            Ok(database) => database,
            Err(DatabaseError::DatabaseAlreadyOpen) => {
                return Err(format!(
                    "{shown} is in use: another usher runs this project. End it, or give this one a folder of its own with --state"
                ));
            }
            Err(error) => return Err(wrong(&error)),
        };
        prepare(&database).map_err(|error| wrong(&error))?;
        let entries = entries(&database).map_err(|error| wrong(&error))?;
        // what a long backlog took is given back
        database.compact().map_err(|error| wrong(&error))?;
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new().name("events".into()).spawn(move || serve(&database, &receiver));
        Ok((Self(sender), entries, thread.map_err(|error| wrong(&error))?))
    }

    /// Makes these changes together. They are made, or refused, before any request that follows; the answer comes once they are
    /// on disk and may be left unheard.
    pub(super) fn change(&self, changes: Vec<Change>) -> impl Future<Output = Result<(), String>> + use<> {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.send(Request::Change(changes, reply));
        async move { if sent.is_ok() { answer.await.unwrap_or_else(|_| gone()) } else { gone() } }
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

fn prepare(database: &Database) -> Result<(), String> {
    let write = || -> Result<u64, redb::Error> {
        let transaction = database.begin_write()?;
        let format = {
            let mut about = transaction.open_table(ABOUT)?;
            let found = about.get("format")?.map(|value| value.value());
            about.insert("format", found.unwrap_or(FORMAT))?;
            transaction.open_table(ENTRIES)?;
            transaction.open_table(PAYLOADS)?;
            transaction.open_table(ANSWERS)?;
            found.unwrap_or(FORMAT)
        };
        transaction.commit()?;
        Ok(format)
    };
    match write().map_err(|error| error.to_string())? {
        FORMAT => Ok(()),
        other => Err(format!("it has format {other}, and this usher reads format {FORMAT}")),
    }
}

fn entries(database: &Database) -> Result<Vec<(EventId, Entry)>, String> {
    let read = || -> Result<Vec<(EventId, Vec<u8>)>, redb::Error> {
        let table = database.begin_read()?.open_table(ENTRIES)?;
        table.iter()?.map(|row| row.map(|(id, entry)| (id.value(), entry.value().to_vec())).map_err(Into::into)).collect()
    };
    let rows = read().map_err(|error| error.to_string())?;
    let parse = |(id, bytes): (EventId, Vec<u8>)| {
        Ok((id, serde_json::from_slice(&bytes).map_err(|error| format!("event {id}: {error}"))?))
    };
    rows.into_iter().map(parse).collect()
}

fn serve(database: &Database, requests: &Receiver<Request>) {
    while let Ok(first) = requests.recv() {
        let batch: Vec<Request> = std::iter::once(first).chain(requests.try_iter()).take(MOST_AT_ONCE).collect();
        let (changes, reads): (Vec<_>, Vec<_>) = batch.into_iter().partition(|request| matches!(request, Request::Change(..)));
        let done = if changes.is_empty() { Ok(()) } else { commit(database, &changes).map_err(|error| error.to_string()) };
        if let Err(error) = &done {
            tracing::error!("ALARM: {} changes of events are not on disk: {error}", changes.len());
        }
        for request in changes.into_iter().chain(reads) {
            // who asked may have gone
            match request {
                Request::Change(_, reply) => drop(reply.send(done.clone())),
                Request::Read(id, reply) => drop(reply.send(read(database, id).map_err(|error| error.to_string()))),
            }
        }
    }
}

/// One transaction for all. Durable when it returns.
fn commit(database: &Database, requests: &[Request]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    for request in requests {
        let Request::Change(changes, _) = request else { continue };
        for change in changes {
            apply(&transaction, change)?;
        }
    }
    transaction.commit()?;
    Ok(())
}

fn apply(transaction: &WriteTransaction, change: &Change) -> Result<(), redb::Error> {
    let mut entries = transaction.open_table(ENTRIES)?;
    let corrupt = |error: serde_json::Error| redb::Error::from(StorageError::Corrupted(error.to_string()));
    match change {
        Change::Add(id, entry, payload) => {
            entries.insert(id, serde_json::to_vec(entry).map_err(corrupt)?.as_slice())?;
            transaction.open_table(PAYLOADS)?.insert(id, &payload[..])?;
        }
        Change::Update(id, entry, answered) => {
            entries.insert(id, serde_json::to_vec(entry).map_err(corrupt)?.as_slice())?;
            if let Some(answered) = answered {
                transaction.open_table(ANSWERS)?.insert(id, serde_json::to_vec(answered).map_err(corrupt)?.as_slice())?;
            }
        }
        Change::Remove(id) => {
            entries.remove(id)?;
            transaction.open_table(PAYLOADS)?.remove(id)?;
            transaction.open_table(ANSWERS)?.remove(id)?;
        }
    }
    Ok(())
}

fn read(database: &Database, id: EventId) -> Result<Stored, redb::Error> {
    let transaction = database.begin_read()?;
    let payload = transaction.open_table(PAYLOADS)?.get(id)?.map(|payload| Bytes::copy_from_slice(payload.value()));
    let payload = payload.ok_or_else(|| redb::Error::from(StorageError::Corrupted(format!("there is no event {id}"))))?;
    let answered = transaction.open_table(ANSWERS)?.get(id)?.and_then(|answered| serde_json::from_slice(answered.value()).ok());
    Ok(Stored { payload, answered })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::entry::Stage;
    use super::*;

    fn entry(name: &str) -> Entry {
        let stage = Stage::Waiting { failed: 0, delayed: 0, due: 0 };
        Entry { function: "F".into(), request_id: name.into(), trace_id: None, accepted: 0, invoked: 0, stage }
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_the_file_is_opened_again_and_nobody_else_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let (store, found, thread) = Store::open(&state).unwrap();
        assert!(found.is_empty());
        let adds = (1..=50).map(|id| store.change(vec![Change::Add(id, entry(&id.to_string()), Bytes::from(id.to_string()))]));
        for added in futures::future::join_all(adds).await {
            added.unwrap();
        }
        let answered = Answered { error: None, body: "1".into() };
        let update = Change::Update(2, Entry { invoked: 3, ..entry("2") }, Some(answered.clone()));
        store.change(vec![Change::Remove(1), update]).await.unwrap();
        let busy = Store::open(&state).map(drop).unwrap_err();
        assert!(busy.contains("another usher runs this project") && busy.contains("--state"), "{busy}");
        for (path, mode) in [(state.clone(), 0o700), (state.join(FILE), 0o600)] {
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
        }
        drop(store);
        thread.join().unwrap();

        let (store, found, _) = Store::open(&state).unwrap();
        assert_eq!(found.len(), 49);
        assert_eq!(found[0], (2, Entry { invoked: 3, ..entry("2") }));
        let stored = store.read(2).await.unwrap();
        assert_eq!((&stored.payload[..], stored.answered), (&b"2"[..], Some(answered)));
        assert!(store.read(1).await.is_err());
    }
}
