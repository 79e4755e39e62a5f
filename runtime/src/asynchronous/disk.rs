//! The file of events: opened, read, written; and opened anew after an error, since the database takes nothing more from then on.

use std::fs::{File, OpenOptions, TryLockError};
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

use super::store::{Change, Stored};
use crate::state;
use event_sources::asynchronous::{AcceptedEvent, EventId};

/// Name of the file within usher's state folder.
pub(super) const FILE: &str = "events.redb";

/// Name of the file beside it that is locked while a host runs.
const LOCK: &str = "events.lock";

/// Format of the tables; a file of another format is refused rather than misread.
const FORMAT: u64 = 1;

const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
/// [`AcceptedEvent`] as JSON.
const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
const PAYLOADS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("payloads");
/// [`super::store::Answered`] as JSON: what the last try came to.
const ANSWERS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("answers");

/// After a failure the file is left alone for so long, or as long as the failed attempt took: opening a file that was not closed
/// well goes through all of it, and whoever asks meanwhile is to be refused at once.
const PAUSE: Duration = Duration::from_secs(1);

/// How a file is opened, making it if need be or only if it is there; tests put faults in between.
pub(super) type Reach = Box<dyn Fn(&Path, bool) -> Result<Database, redb::Error> + Send>;

/// The open file.
pub(super) struct Disk {
    file: PathBuf,
    reach: Reach,
    /// Device and number of the file that was opened first: no other may take its place.
    same: (u64, u64),
    /// Held for as long as this lives, whether or not the file is open just now: nobody else may take it meanwhile.
    _lock: File,
    /// `None` after an error, until a request opens it again.
    database: Option<Database>,
    /// Not opened again before this time, for this reason.
    pause: Option<(Instant, String)>,
}

impl Disk {
    /// Opens the file in this folder, making either if need be, for this user only. Returns the events in it as well, by age.
    ///
    /// # Errors
    /// What cannot be used, why, and what to do.
    pub(super) fn open(
        folder: &Path,
        reach: Reach,
    ) -> Result<(Self, Vec<(EventId, AcceptedEvent)>), String> {
        let file = folder.join(FILE);
        let shown = file.display().to_string();
        let open = || {
            state::create(folder)?;
            let lock = state::lock(&folder.join(LOCK))?;
            let mut database = unharmed(|| Ok(reach(&file, true)?))?;
            let entries = unharmed(|| {
                prepare(&database)?;
                entries(&database)
            })?;
            // what a long backlog took is given back
            if let Err(error) = unharmed(|| Ok(database.compact().map_err(redb::Error::from)?)) {
                tracing::warn!("{shown} keeps its size: {error}");
            }
            // a new file's name has to outlast a power cut as well
            File::open(folder)?.sync_all()?;
            Ok((lock, database, entries, identity(&file)?))
        };
        match open() {
            Ok((lock, database, entries, same)) => Ok((
                Self {
                    file,
                    reach,
                    same,
                    _lock: lock,
                    database: Some(database),
                    pause: None,
                },
                entries,
            )),
            Err(Broken::InUse) => Err(format!(
                "{shown} is in use: another usher runs this project. End it, or give this one a folder of its own with --state"
            )),
            Err(Broken::Damaged(why)) => Err(format!(
                "{shown} is damaged ({why}). Name another folder with --state; or move the file away, which gives up the events in it"
            )),
            Err(Broken::Format(why)) => Err(format!(
                "{shown} {why}. Use the usher that wrote it, or name another folder with --state"
            )),
            Err(Broken::Other(why)) => Err(format!(
                "cannot keep accepted events in {shown}: {why}. Mend that, or name another folder with --state"
            )),
        }
    }

    /// Makes all changes or none. They are durable when it returns. Idempotent. After an error they may be there all the same.
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
        if let Some((until, why)) = &self.pause
            && Instant::now() < *until
        {
            return Err(why.clone());
        }
        let started = Instant::now();
        if let Some(database) = self.database.take()
            && let Ok(done) = unharmed(|| Ok(work(&database)?))
        {
            self.database = Some(database);
            return Ok(done);
        }
        let anew = self.reopened().and_then(|database| {
            let done = unharmed(|| Ok(work(&database)?))?;
            Ok((database, done))
        });
        match anew {
            Ok((database, done)) => {
                (self.database, self.pause) = (Some(database), None);
                Ok(done)
            }
            Err(broken) => {
                let why = format!(
                    "{} cannot be used: {broken}. Events are refused until it can",
                    self.file.display()
                );
                self.pause = Some((Instant::now() + PAUSE.max(started.elapsed()), why.clone()));
                Err(why)
            }
        }
    }

    fn reopened(&self) -> Result<Database, Broken> {
        if identity(&self.file).ok() != Some(self.same) {
            return Err(Broken::Other(
                "it was moved away or replaced; put it back, or start usher anew".into(),
            ));
        }
        unharmed(|| Ok((self.reach)(&self.file, false)?))
    }
}

/// A damaged file can make the database panic; that must not end whoever asks.
fn unharmed<T>(work: impl FnOnce() -> Result<T, Broken>) -> Result<T, Broken> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|_| Err(Broken::Damaged("reading it failed badly".into())))
}

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("another usher has it")]
    InUse,
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("it {0}")]
    Format(String),
    #[error("{0}")]
    Other(String),
}

impl From<redb::Error> for Broken {
    fn from(error: redb::Error) -> Self {
        match &error {
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            redb::Error::Corrupted(why) => Self::Damaged(why.clone()),
            redb::Error::UpgradeRequired(version) => {
                Self::Format(format!("has format {version} of its database"))
            }
            redb::Error::Io(io)
                if matches!(
                    io.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Self::Damaged(io.to_string())
            }
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<TryLockError> for Broken {
    fn from(error: TryLockError) -> Self {
        match error {
            TryLockError::WouldBlock => Self::InUse,
            TryLockError::Error(error) => error.into(),
        }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Other(error.to_string())
    }
}

/// The file itself.
pub(super) fn plain() -> Reach {
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
        other => Err(Broken::Format(format!(
            "has format {other}, and this usher reads format {FORMAT}"
        ))),
    }
}

fn entries(database: &Database) -> Result<Vec<(EventId, AcceptedEvent)>, Broken> {
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
                .map_err(|error| Broken::Damaged(format!("event {id}: {error}")))?,
        ))
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
    let corrupt =
        |error: serde_json::Error| redb::Error::from(StorageError::Corrupted(error.to_string()));
    match change {
        Change::Add(id, entry, payload) => {
            entries.insert(id, serde_json::to_vec(entry).map_err(corrupt)?.as_slice())?;
            transaction.open_table(PAYLOADS)?.insert(id, &payload[..])?;
        }
        Change::Update(id, entry, answered) => {
            entries.insert(id, serde_json::to_vec(entry).map_err(corrupt)?.as_slice())?;
            if let Some(answered) = answered {
                transaction.open_table(ANSWERS)?.insert(
                    id,
                    serde_json::to_vec(answered).map_err(corrupt)?.as_slice(),
                )?;
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
