//! Broadcast: every reader receives every entry from the moment it opened, or a gap.

mod position;

use std::time::Duration;

use redis_link::{BlockingConnection, Call, Link, LinkError};

use super::entry::Entry;
use super::group::wait_for_entry;
use super::scripts;
pub use position::Gap;
use position::{Position, Snapshot};

/// Reads all entries of one stream from now on.
#[derive(Debug)]
pub struct BroadcastReader {
    link: Link,
    blocking: BlockingConnection,
    key: String,
    position: Position,
    /// A gap that is not reported yet, because the new position is unknown.
    gap: Option<Gap>,
}

/// The result of a read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a gap means that anything may have changed"]
pub enum Received {
    /// The entries added since the last call, in order, up to [`BroadcastReader::MAX_ENTRIES`];
    /// empty if none arrived in time.
    Entries(Vec<Entry>),
    /// Entries may be missing: treat everything as changed. The reader fixed its new position
    /// before it reported the gap, so data loaded now is at least as new as the next entries.
    Gap(Gap),
}

impl BroadcastReader {
    /// How many entries one read returns at most.
    pub const MAX_ENTRIES: usize = 1_000;

    /// A reader of the stream with this key. When this returns, the position is fixed: a change
    /// made later is received, so data loaded after this call cannot become stale unnoticed.
    pub async fn open(link: Link, key: &str) -> Result<Self, LinkError> {
        let position = Position::resolve(&link, key).await?;
        Ok(Self {
            blocking: link.blocking(),
            link,
            key: key.to_owned(),
            position,
            gap: None,
        })
    }

    /// The next entries or a gap. Waits at most `block` for an entry.
    ///
    /// After an error, or when this future is dropped, nothing is lost: call again.
    pub async fn next(&mut self, block: Duration) -> Result<Received, LinkError> {
        if self.gap.is_none() {
            let snapshot = self.read(block).await?;
            match self.position.advance(&snapshot, Self::MAX_ENTRIES) {
                Ok(position) => {
                    self.position = position;
                    return Ok(Received::Entries(snapshot.entries));
                }
                Err(gap) => self.gap = Some(gap),
            }
        }
        self.position = Position::resolve(&self.link, &self.key).await?;
        // The gap is cleared only after `resolve` succeeded.
        Ok(self
            .gap
            .take()
            .map_or(Received::Entries(Vec::new()), Received::Gap))
    }

    async fn read(&mut self, block: Duration) -> Result<Snapshot, LinkError> {
        let wait = wait_for_entry(&self.key, self.position.id, block);
        // The script reads the entry again, in one step with the state of the stream.
        let call = Call::new(&scripts::BROADCAST_READ, &self.key)
            .arg(self.position.id)
            .arg(Self::MAX_ENTRIES);
        let (waited, reply) = self.blocking.run(wait, block, Some(call)).await?;
        waited.extract_error()?;
        Snapshot::read(&mut reply.ok_or_else(|| LinkError::no_answer("a call"))?)
    }
}
