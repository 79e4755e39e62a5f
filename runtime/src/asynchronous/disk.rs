//! The file of events: opened, read, written; and opened anew after an error, since the database takes nothing more from then on.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, StorageError, TableDefinition, WriteTransaction};

use super::entry::{Entry, EventId};
use super::store::{Change, Stored};

/// Name of the file within usher's state folder.
pub(super) const FILE: &str = "events.redb";

/// Format of the tables; a file of another format is refused rather than misread.
const FORMAT: u64 = 1;

const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
/// [`Entry`] as JSON.
const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
const PAYLOADS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("payloads");
/// [`super::store::Answered`] as JSON: what the last try came to.
const ANSWERS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("answers");

/// How a file is opened; tests put faults in between.
pub(super) type Reach = Box<dyn Fn(&Path) -> Result<Database, DatabaseError> + Send>;

/// The open file.
pub(super) struct Disk {
    file: PathBuf,
    reach: Reach,
    /// `None` after an error, until the next request opens it again.
    database: Option<Database>,
}

impl Disk {
    /// Opens the file in this folder, making either if need be, for this user only. Returns the events in it as well, by age.
    ///
    /// # Errors
    /// What cannot be used, why, and what to do.
    pub(super) fn open(folder: &Path, reach: Reach) -> Result<(Self, Vec<(EventId, Entry)>), String> {
        let file = folder.join(FILE);
        let shown = file.display().to_string();
        let wrong = |error: &dyn std::fmt::Display| {
            format!("cannot keep accepted events in {shown}: {error}. Name another folder with --state, or move that file away")
        };
        make(folder).map_err(|error| wrong(&error))?;
        let mut disk = Self { file, reach, database: None };
        let opened = disk.unharmed(|disk| {
            let mut database = disk.database()?;
            prepare(&database)?;
            let entries = entries(&database)?;
            // what a long backlog took is given back
            database.compact().map_err(|error| Broken::Other(error.to_string()))?;
            disk.database = Some(database);
            Ok(entries)
        });
        // a new file's name has to outlast a power cut as well
        let opened = opened.and_then(|entries| Ok((entries, File::open(folder).and_then(|folder| folder.sync_all())?)));
        match opened {
            Ok((entries, ())) => Ok((disk, entries)),
            Err(Broken::InUse) => Err(format!(
                "{shown} is in use: another usher runs this project. End it, or give this one a folder of its own with --state"
            )),
            Err(Broken::Other(why)) => Err(wrong(&why)),
        }
    }

    /// Makes all changes or none. They are durable when it returns. Idempotent.
    pub(super) fn change(&mut self, changes: &[&Change]) -> Result<(), String> {
        self.with(|database| commit(database, changes))
    }

    /// What stands there; `None`: no such event.
    pub(super) fn read(&mut self, id: EventId) -> Result<Option<Stored>, String> {
        self.with(|database| read(database, id))
    }

    /// Does the work; after an error once more, on the file opened anew: what went wrong may be over, and the old database
    /// would go on refusing everything.
    fn with<T>(&mut self, work: impl Fn(&Database) -> Result<T, redb::Error>) -> Result<T, String> {
        let attempt = |disk: &mut Self| {
            disk.unharmed(|disk| {
                let database = disk.database.take().map_or_else(|| disk.database(), Ok)?;
                let done = work(&database)?;
                disk.database = Some(database);
                Ok(done)
            })
        };
        let done = attempt(self).or_else(|_| attempt(self));
        done.map_err(|broken| match broken {
            Broken::InUse => "another usher has opened the file meanwhile".into(),
            Broken::Other(why) => why,
        })
    }

    fn database(&self) -> Result<Database, Broken> {
        (self.reach)(&self.file).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => Broken::InUse,
            other => Broken::Other(other.to_string()),
        })
    }

    /// A damaged file can make the database panic; that must not end whoever asks.
    fn unharmed<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Broken>) -> Result<T, Broken> {
        let done = catch_unwind(AssertUnwindSafe(|| work(self)));
        done.unwrap_or_else(|_| Err(Broken::Other("the file is damaged".into())))
    }
}

/// Why something did not work.
enum Broken {
    InUse,
    Other(String),
}

impl<E: Into<redb::Error>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self::Other(error.into().to_string())
    }
}

/// The file itself.
pub(super) fn plain() -> Reach {
    Box::new(|file| {
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(file);
        let bytes = FileBackend::new(options.map_err(|error| DatabaseError::Storage(error.into()))?)?;
        Database::builder().create_with_backend(bytes)
    })
}

/// Makes the folder, and a new one no part of anybody's source.
fn make(folder: &Path) -> io::Result<()> {
    let new = !folder.exists();
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if !new {
        return Ok(());
    }
    match OpenOptions::new().write(true).create_new(true).open(folder.join(".gitignore")) {
        Ok(mut ignore) => ignore.write_all(b"*\n"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn prepare(database: &Database) -> Result<(), Broken> {
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
    match write()? {
        FORMAT => Ok(()),
        other => Err(Broken::Other(format!("it has format {other}, and this usher reads format {FORMAT}"))),
    }
}

fn entries(database: &Database) -> Result<Vec<(EventId, Entry)>, Broken> {
    let read = || -> Result<Vec<(EventId, Vec<u8>)>, redb::Error> {
        let table = database.begin_read()?.open_table(ENTRIES)?;
        table.iter()?.map(|row| row.map(|(id, entry)| (id.value(), entry.value().to_vec())).map_err(Into::into)).collect()
    };
    let parse = |(id, bytes): (EventId, Vec<u8>)| {
        Ok((id, serde_json::from_slice(&bytes).map_err(|error| Broken::Other(format!("event {id}: {error}")))?))
    };
    read()?.into_iter().map(parse).collect()
}

fn commit(database: &Database, changes: &[&Change]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    for change in changes {
        apply(&transaction, change)?;
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

fn read(database: &Database, id: EventId) -> Result<Option<Stored>, redb::Error> {
    let transaction = database.begin_read()?;
    let payload = transaction.open_table(PAYLOADS)?.get(id)?.map(|payload| Bytes::copy_from_slice(payload.value()));
    let answered = transaction.open_table(ANSWERS)?.get(id)?.and_then(|answered| serde_json::from_slice(answered.value()).ok());
    Ok(payload.map(|payload| Stored { payload, answered }))
}
