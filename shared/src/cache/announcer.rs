//! Tells a stream of a program's change.

use crate::message::{ProgramChanged, StreamEntry};
use crate::naming::Names;
use redis_link::{Link, LinkError};
use redis_streams::{Bounds, Published, Publisher};

/// Publishes changes of programs to one stream. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Announcer(Publisher);

/// Why a change does not stand in the stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnnounceError {
    /// Redis did not take it, or did not say so.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The stream holds as much as it may, because a group reads no more.
    #[error("the stream is full ({entries} entries): the group {held_by} has not read on")]
    Full {
        /// Entries in the stream.
        entries: u64,
        /// The group that is furthest behind.
        held_by: String,
    },
}

impl Announcer {
    /// To the stream of a name, without the prefix.
    pub fn new(link: Link, names: &Names, stream: &str, bounds: Bounds) -> Self {
        Self(Publisher::new(link, &names.stream(stream), bounds))
    }

    /// Adds an entry, with the trace that led to it. At least once: after an error it may stand there all the same.
    pub async fn tell(
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
                tracing::debug!(program = %change.id, version = %change.version, %id, "told");
                Ok(())
            }
            Published::Full { entries, held_by } => Err(AnnounceError::Full { entries, held_by }),
        }
    }
}
