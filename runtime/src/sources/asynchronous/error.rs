//! Why the events of asynchronous invocations cannot be stored.

use std::fs::TryLockError;
use std::io;
use std::path::PathBuf;

use event_sources::asynchronous::EventId;

use super::disk::FORMAT;

/// Why the events of a state folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another host has the file.
    #[error(
        "{} is in use: another usher runs this project. End it, or give this one a folder of its \
         own with --state",
        .0.display()
    )]
    InUse(PathBuf),
    /// The file is damaged.
    #[error(
        "{} is damaged ({why}). Name another folder with --state; or move the file away, which \
         gives up the events in it",
        file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What the database reports.
        why: String,
    },
    /// Another version of this host wrote the file.
    #[error(
        "{} {format}. Use the version of usher that wrote it, or name another folder with --state",
        file.display()
    )]
    Format {
        /// The file.
        file: PathBuf,
        /// Its format.
        format: OtherFormat,
    },
    /// The file cannot be read or written.
    #[error(
        "cannot keep accepted events in {}: {why}. Repair that, or name another folder with \
         --state",
        file.display()
    )]
    Unusable {
        /// The file.
        file: PathBuf,
        /// The reason.
        #[source]
        why: FileError,
    },
    /// The thread that reads and writes the file cannot be started.
    #[error("cannot start the thread that keeps events: {0}")]
    Thread(#[source] io::Error),
}

impl OpenError {
    pub(super) fn new(file: PathBuf, why: FileError) -> Self {
        match why {
            FileError::InUse => Self::InUse(file),
            FileError::Damaged(why) => Self::Damaged { file, why },
            FileError::Format(format) => Self::Format { file, format },
            why @ (FileError::Replaced | FileError::Other(_)) => Self::Unusable { file, why },
        }
    }
}

/// Why an event is not read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventStoreError {
    /// The file cannot be used at present.
    #[error("{} cannot be used: {why}. Events are refused until it can", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// The reason.
        #[source]
        why: FileError,
    },
    /// The store has no such event.
    #[error("there is no event {0}")]
    NoEvent(EventId),
    /// The thread that reads and writes the file has ended.
    #[error("the store of events has ended")]
    Ended,
}

/// Why the file of events cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Another process has locked it.
    #[error("another usher has it")]
    InUse,
    /// Its content is invalid, for this reason.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It has another format.
    #[error("it {0}")]
    Format(OtherFormat),
    /// The path no longer leads to the file that was opened.
    #[error("it was moved away or replaced; put it back, or restart usher")]
    Replaced,
    /// What the system or the database reports.
    #[error("{0}")]
    Other(String),
}

/// The format of a file that this host does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OtherFormat {
    /// Of the database library.
    #[error("has format {0} of its database")]
    Database(u8),
    /// Of the tables in it.
    #[error("has format {0}, and this usher reads format {FORMAT}")]
    Tables(u64),
}

impl From<redb::Error> for FileError {
    fn from(error: redb::Error) -> Self {
        match &error {
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            redb::Error::Corrupted(why) => Self::Damaged(why.clone()),
            redb::Error::UpgradeRequired(version) => Self::Format(OtherFormat::Database(*version)),
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

impl From<TryLockError> for FileError {
    fn from(error: TryLockError) -> Self {
        match error {
            TryLockError::WouldBlock => Self::InUse,
            TryLockError::Error(error) => error.into(),
        }
    }
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Other(error.to_string())
    }
}
