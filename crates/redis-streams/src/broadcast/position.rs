//! Positions in a stream, and the detection of gaps.

use redis_link::{Call, Link, LinkError, Reply};

use crate::entry::{Entry, EntryId};
use crate::scripts;

/// Why entries may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gap {
    /// The data set changed: Redis was restarted, or failed over.
    ServerChanged,
    /// The stream is missing.
    Deleted,
    /// The stream ends before the position: it was created again, or lost its last entries.
    WentBack,
    /// Entries after the position were trimmed or deleted, or belonged to a deleted stream.
    Missed,
}

/// The position of a reader, and the server where it is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    replid: String,
    /// The last entry received.
    pub(super) id: EntryId,
    /// How many entries had ever been added to the stream at that entry. At least 1.
    added: u64,
}

impl Position {
    /// The end of the stream.
    pub(super) async fn resolve(link: &Link, key: &str) -> Result<Self, LinkError> {
        let mut reply = link.run(Call::new(&scripts::BROADCAST_OPEN, key)).await?;
        Ok(Self {
            replid: reply.word()?,
            id: reply.parse()?,
            added: reply.parse()?,
        })
    }

    /// The position after the entries of a snapshot, or the gap. `limit` is the limit of that read.
    ///
    /// Redis counts all entries ever added to a stream. A reader that received `added` of them must
    /// arrive at that count with the rest; after any trimming, deletion or re-creation it does not.
    /// One case stays undetected: a stream deleted and created again within one millisecond, with
    /// as many entries up to the position as before.
    pub(super) fn advance(&self, snapshot: &Snapshot, limit: usize) -> Result<Self, Gap> {
        if snapshot.replid != self.replid {
            return Err(Gap::ServerChanged);
        }
        let Some(state) = &snapshot.state else {
            return Err(Gap::Deleted);
        };
        if state.last < self.id {
            return Err(Gap::WentBack);
        }
        let added = self.added + snapshot.entries.len() as u64;
        let complete = if snapshot.entries.len() < limit {
            state.added == added
        } else {
            // More entries are left: all of them must still be in the stream.
            let trimmed = state.first > self.id && state.added != self.added + state.held;
            state.added >= added && !trimmed && state.max_deleted <= self.id
        };
        if !complete {
            return Err(Gap::Missed);
        }
        let id = snapshot.entries.last().map_or(self.id, |entry| entry.id);
        Ok(Self {
            replid: self.replid.clone(),
            id,
            added,
        })
    }
}

/// The reply of one read: the stream's state and the entries after the position, at one moment.
pub(super) struct Snapshot {
    replid: String,
    /// `None` if the stream is missing.
    state: Option<StreamState>,
    pub(super) entries: Vec<Entry>,
}

struct StreamState {
    last: EntryId,
    added: u64,
    held: u64,
    first: EntryId,
    /// The greatest id that was deleted by `XDEL`; trimming does not count.
    max_deleted: EntryId,
}

impl Snapshot {
    pub(super) fn read(reply: &mut Reply) -> Result<Self, LinkError> {
        let replid = reply.word()?;
        let state = if reply.remaining() == 0 {
            None
        } else {
            Some(StreamState {
                last: reply.parse()?,
                added: reply.parse()?,
                held: reply.parse()?,
                first: reply.parse()?,
                max_deleted: reply.parse()?,
            })
        };
        Ok(Self {
            replid,
            state,
            entries: reply.rest(Entry::read)?,
        })
    }
}
