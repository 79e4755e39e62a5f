//! The file of events. It is reopened after an error, because the database refuses all operations
//! from then on.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redb::backends::FileBackend;
use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, StorageError, TableDefinition,
    WriteTransaction,
};

use super::error::{EventStoreError, FileError, OpenError, OtherFormat};
use super::store::{EventChange, Stored};
use crate::state;
use event_sources::asynchronous::{AcceptedEvent, EventId};

/// File name in the state folder.
pub(super) const FILE: &str = "events.redb";

/// Name of the file that a running host locks.
const LOCK: &str = "events.lock";

/// Format of the tables. A file of another format is refused.
pub(super) const FORMAT: u64 = 1;

const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
/// [`AcceptedEvent`] as JSON.
const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
const PAYLOADS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("payloads");
/// [`super::store::Answered`] as JSON.
const ANSWERS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("answers");

/// Minimum pause after a failure, during which requests fail at once. It lasts as long as the
/// failed attempt if that took longer: opening a file that was not closed cleanly reads all of it.
const PAUSE: Duration = Duration::from_secs(1);

/// Opens a file; `true`: creates it if it is absent. Tests inject faults here.
pub(crate) type OpenDatabase = Box<dyn Fn(&Path, bool) -> Result<Database, redb::Error> + Send>;

/// The open file.
pub(super) struct Disk {
    file: PathBuf,
    open_database: OpenDatabase,
    /// Device and inode of the file that was opened first. A replaced file is refused.
    identity: (u64, u64),
    /// Held as long as this value lives, also while the file is closed after an error.
    _lock: File,
    /// `None` after an error, until a request reopens it.
    database: Option<Database>,
    /// Earliest time of the next attempt, and the last error.
    pause: Option<(Instant, EventStoreError)>,
}

impl Disk {
    /// Opens the file in this folder. Creates both if absent, readable for this user only. Also
    /// returns the events in it, by age.
    ///
    /// # Errors
    /// The file that cannot be used, the reason and the remedy.
    pub(super) fn open(
        folder: &Path,
        open_database: OpenDatabase,
    ) -> Result<(Self, Vec<(EventId, AcceptedEvent)>), OpenError> {
        let file = folder.join(FILE);
        let open = || {
            state::create(folder)?;
            let lock = state::lock(&folder.join(LOCK))?;
            let mut database = catch_panic(|| Ok(open_database(&file, true)?))?;
            let entries = catch_panic(|| {
                prepare(&database)?;
                entries(&database)
            })?;
            // releases the space of a long backlog
            if let Err(error) = catch_panic(|| Ok(database.compact().map_err(redb::Error::from)?)) {
                tracing::warn!("{} keeps its size: {error}", file.display());
            }
            // makes the directory entry of a new file durable
            File::open(folder)?.sync_all()?;
            Ok((lock, database, entries, identity(&file)?))
        };
        match open() {
            Ok((lock, database, entries, identity)) => Ok((
                Self {
                    file,
                    open_database,
                    identity,
                    _lock: lock,
                    database: Some(database),
                    pause: None,
                },
                entries,
            )),
            Err(why) => Err(OpenError::new(file, why)),
        }
    }

    /// Applies all changes or none, durably. Idempotent. After an error they may have been applied.
    pub(super) fn change(&mut self, changes: &[&EventChange]) -> Result<(), EventStoreError> {
        self.with(|database| commit(database, changes))
    }

    /// Reads an event.
    pub(super) fn read(&mut self, id: EventId) -> Result<Option<Stored>, EventStoreError> {
        self.with(|database| read(database, id))
    }

    /// Runs an operation; after an error once more on the reopened file, since the old database
    /// would refuse it.
    fn with<T>(
        &mut self,
        work: impl Fn(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, EventStoreError> {
        if let Some((until, why)) = &self.pause
            && Instant::now() < *until
        {
            return Err(why.clone());
        }
        let started = Instant::now();
        if let Some(database) = self.database.take()
            && let Ok(done) = catch_panic(|| Ok(work(&database)?))
        {
            self.database = Some(database);
            return Ok(done);
        }
        let reopened = self.reopen().and_then(|database| {
            let done = catch_panic(|| Ok(work(&database)?))?;
            Ok((database, done))
        });
        match reopened {
            Ok((database, done)) => {
                (self.database, self.pause) = (Some(database), None);
                Ok(done)
            }
            Err(why) => {
                let why = EventStoreError::Unusable {
                    file: self.file.clone(),
                    why,
                };
                self.pause = Some((Instant::now() + PAUSE.max(started.elapsed()), why.clone()));
                Err(why)
            }
        }
    }

    fn reopen(&self) -> Result<Database, FileError> {
        if identity(&self.file).ok() != Some(self.identity) {
            return Err(FileError::Replaced);
        }
        catch_panic(|| Ok((self.open_database)(&self.file, false)?))
    }
}

/// Runs an operation and turns a panic of the database about a damaged file into an error.
pub(crate) fn catch_panic<T>(work: impl FnOnce() -> Result<T, FileError>) -> Result<T, FileError> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|_| Err(FileError::Damaged("reading it caused a panic".into())))
}

/// Opens the file without faults.
pub(crate) fn open_file() -> OpenDatabase {
    Box::new(|file, make| {
        let options = OpenOptions::new()
            .read(true)
            .write(true)
            .create(make)
            .truncate(false)
            .mode(0o600)
            .open(file);
        Ok(Database::builder()
            .create_with_backend(FileBackend::new(options.map_err(redb::Error::Io)?)?)?)
    })
}

fn identity(file: &Path) -> io::Result<(u64, u64)> {
    let metadata = std::fs::metadata(file)?;
    Ok((metadata.dev(), metadata.ino()))
}

fn prepare(database: &Database) -> Result<(), FileError> {
    create_tables(database, |transaction| {
        transaction.open_table(ENTRIES)?;
        transaction.open_table(PAYLOADS)?;
        transaction.open_table(ANSWERS)?;
        Ok(())
    })
}

/// Creates the tables of a new file, and refuses one of another format.
pub(crate) fn create_tables(
    database: &Database,
    create: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
) -> Result<(), FileError> {
    let write = || -> Result<u64, redb::Error> {
        let transaction = database.begin_write()?;
        let format = {
            let mut about = transaction.open_table(ABOUT)?;
            let found = about.get("format")?.map(|value| value.value());
            about.insert("format", found.unwrap_or(FORMAT))?;
            found.unwrap_or(FORMAT)
        };
        create(&transaction)?;
        transaction.commit()?;
        Ok(format)
    };
    match write()? {
        FORMAT => Ok(()),
        other => Err(FileError::Format(OtherFormat::Tables(other))),
    }
}

fn entries(database: &Database) -> Result<Vec<(EventId, AcceptedEvent)>, FileError> {
    let read = || -> Result<Vec<(EventId, Vec<u8>)>, redb::Error> {
        let table = database.begin_read()?.open_table(ENTRIES)?;
        table
            .iter()?
            .map(|row| {
                row.map(|(id, entry)| (id.value(), entry.value().to_vec()))
                    .map_err(Into::into)
            })
            .collect()
    };
    let parse = |(id, bytes): (EventId, Vec<u8>)| {
        Ok((
            id,
            strict_json::from_slice(&bytes)
                .map_err(|error| FileError::Damaged(format!("event {id}: {error}")))?,
        ))
    };
    read()?.into_iter().map(parse).collect()
}

fn commit(database: &Database, changes: &[&EventChange]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    for change in changes {
        apply(&transaction, change)?;
    }
    transaction.commit()?;
    Ok(())
}

fn apply(transaction: &WriteTransaction, change: &EventChange) -> Result<(), redb::Error> {
    let mut entries = transaction.open_table(ENTRIES)?;
    let corrupt =
        |error: serde_json::Error| redb::Error::from(StorageError::Corrupted(error.to_string()));
    match change {
        EventChange::Add(id, entry, payload) => {
            entries.insert(id, serde_json::to_vec(entry).map_err(corrupt)?.as_slice())?;
            transaction.open_table(PAYLOADS)?.insert(id, &payload[..])?;
        }
        EventChange::Update(id, entry, answered) => {
            entries.insert(id, serde_json::to_vec(entry).map_err(corrupt)?.as_slice())?;
            if let Some(answered) = answered {
                transaction.open_table(ANSWERS)?.insert(
                    id,
                    serde_json::to_vec(answered).map_err(corrupt)?.as_slice(),
                )?;
            }
        }
        EventChange::Remove(id) => {
            entries.remove(id)?;
            transaction.open_table(PAYLOADS)?.remove(id)?;
            transaction.open_table(ANSWERS)?.remove(id)?;
        }
    }
    Ok(())
}

fn read(database: &Database, id: EventId) -> Result<Option<Stored>, redb::Error> {
    let transaction = database.begin_read()?;
    let payload = transaction
        .open_table(PAYLOADS)?
        .get(id)?
        .map(|payload| Bytes::copy_from_slice(payload.value()));
    let answered = transaction
        .open_table(ANSWERS)?
        .get(id)?
        .and_then(|answered| strict_json::from_slice(answered.value()).ok());
    Ok(payload.map(|payload| Stored { payload, answered }))
}
