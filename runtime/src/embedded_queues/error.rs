//! Why the file of embedded queues cannot be used.

use std::io;
use std::path::PathBuf;

use crate::sources::asynchronous::FileError;

/// Why the file of embedded queues cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueFileError {
    /// Its content is invalid.
    #[error(
        "{} is damaged ({why}). Move it away, which gives up the messages in it; or name another \
         folder with --state",
        file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is invalid.
        why: String,
    },
    /// It cannot be opened.
    #[error(
        "cannot keep messages in {}: {why}. Repair that, name another folder with --state, or \
         write storage = \"memory\" under [embedded-queues] in usher.toml",
        file.display()
    )]
    Unusable {
        /// The file.
        file: PathBuf,
        /// The reason.
        #[source]
        why: FileError,
    },
    /// A change is not on disk.
    #[error(
        "{} cannot be written: {why}. The embedded queues refuse all calls until usher starts \
         again; accepted messages are in the file",
        file.display()
    )]
    NotWritten {
        /// The file.
        file: PathBuf,
        /// The reason.
        #[source]
        why: FileError,
    },
    /// The thread that writes the file cannot be started.
    #[error("cannot start the thread that writes messages: {0}")]
    Thread(#[source] std::sync::Arc<io::Error>),
    /// The thread that writes the file has ended.
    #[error("the thread that writes messages has ended; start usher again")]
    Ended,
}

impl QueueFileError {
    pub(super) fn opening(file: PathBuf, why: FileError) -> Self {
        match why {
            FileError::Damaged(why) => Self::Damaged { file, why },
            why => Self::Unusable { file, why },
        }
    }
}
