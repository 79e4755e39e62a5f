//! Why a source cannot be opened, why a run of it ended, and why its position did not change.

use std::error::Error;

/// The error of one kind of source. Its `Display` is the text for the user.
pub type KindError = Box<dyn Error + Send + Sync>;

/// Why a source cannot be opened, or why a run of it ended.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// One source cannot be opened.
    #[error("{subject}: {why}")]
    NotOpened {
        /// The source, such as `mapping Worker.Orders`.
        subject: String,
        /// The reason, with its remedy.
        #[source]
        why: KindError,
    },
    /// What the sources of a kind have in common cannot be prepared: a server, queues, a file.
    #[error(transparent)]
    NotPrepared(KindError),
    /// A run ended, or could not drain.
    #[error(transparent)]
    Ended(KindError),
}

impl SourceError {
    /// One source cannot be opened.
    pub fn not_opened(subject: impl Into<String>, why: impl Error + Send + Sync + 'static) -> Self {
        Self::NotOpened {
            subject: subject.into(),
            why: Box::new(why),
        }
    }

    /// What the sources of a kind have in common cannot be prepared.
    pub fn not_prepared(why: impl Error + Send + Sync + 'static) -> Self {
        Self::NotPrepared(Box::new(why))
    }

    /// A run ended, or could not drain.
    pub fn ended(why: impl Error + Send + Sync + 'static) -> Self {
        Self::Ended(Box::new(why))
    }
}

/// Why the position of a source did not change.
#[derive(Debug, thiserror::Error)]
pub enum PositionError {
    /// No source of this host has this id and positions. Kafka mappings are the only sources with
    /// positions.
    #[error("this host runs no Kafka mapping {0}")]
    NoPositions(String),
    /// The source refused the change, or it failed.
    #[error(transparent)]
    Refused(KindError),
}

impl PositionError {
    /// The source refused the change, or it failed.
    pub fn refused(why: impl Error + Send + Sync + 'static) -> Self {
        Self::Refused(Box::new(why))
    }
}
