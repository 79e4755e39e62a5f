//! Why a host did not start.

use std::io;
use std::path::PathBuf;

use crate::embedded_queues::QueueFileError;
use crate::listener::BindError;
use crate::sources::SourceError;

/// Why a host did not start. Nothing runs then.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Everything that is missing or contradicts itself, a sentence each.
    #[error("{}", .0.join("\n"))]
    Preflight(Vec<String>),
    /// A port cannot be opened.
    #[error(transparent)]
    Port(#[from] BindError),
    /// The messages of embedded queues cannot be kept on disk.
    #[error(transparent)]
    Queues(#[from] QueueFileError),
    /// A source cannot be opened.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The host file cannot be written into the state folder.
    #[error("cannot write to {}: {source}", folder.display())]
    HostFile {
        /// The state folder.
        folder: PathBuf,
        /// What the system reported.
        source: io::Error,
    },
    /// Settings of usher.toml that are refused, a sentence each.
    #[error("{}", .0.join("\n"))]
    Settings(Vec<String>),
}
