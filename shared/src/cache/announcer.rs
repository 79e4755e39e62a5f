//! Publishes changes of programs to a stream.

use crate::message::{ProgramChanged, StreamEntry};
use crate::naming::Names;
use redis_link::{Link, LinkError};
use redis_streams::{Bounds, Published, Publisher};

/// Publishes changes of programs to one stream. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Announcer(Publisher);

/// Why a change was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnnounceError {
    /// Redis failed; the change may have been published.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The stream is full because a group does not acknowledge its entries.
    #[error(
        "the stream is full ({entries} entries): the group {held_by} has not acknowledged the \
        oldest"
    )]
    Full {
        /// Entries in the stream.
        entries: u64,
        /// The group that is furthest behind.
        held_by: String,
    },
}

impl Announcer {
    /// An announcer to the stream `stream`, a name without the prefix.
    pub fn new(link: Link, names: &Names, stream: &str, bounds: Bounds) -> Self {
        Self(Publisher::new(link, &names.stream(stream), bounds))
    }

    /// Publishes a change with its trace context. After an error it may have been published.
    pub async fn announce(
        &self,
        change: ProgramChanged,
        trace: Option<&str>,
    ) -> Result<(), AnnounceError> {
        let fields = change.fields();
        let fields = fields.iter().map(|(name, value)| (*name, value.as_str()));
        let fields: Vec<_> = fields
            .chain(trace.map(|trace| (StreamEntry::TRACE_FIELD, trace)))
            .collect();
        match self.0.publish(&fields).await? {
            Published::At(id) => {
                tracing::debug!(
                    program = %change.id,
                    version = %change.version,
                    %id,
                    "change published"
                );
                Ok(())
            }
            Published::Full { entries, held_by } => Err(AnnounceError::Full { entries, held_by }),
        }
    }
}
