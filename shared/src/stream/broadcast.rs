//! Reading everything from now on: each reader gets every entry, and is told when it may have missed one.

use std::time::Duration;

use crate::link::{Call, Link, LinkError, Reply, BlockingConnection};
use crate::naming::Names;

use super::entry::{Entry, EntryId};
use super::group::wake;
use super::scripts;

/// Entries read at a time.
const BATCH: usize = 1_000;

/// Reads one stream. Each instance that is to hear everything has one of its own.
#[derive(Debug)]
pub struct BroadcastReader {
    link: Link,
    waiting: BlockingConnection,
    key: String,
    position: Position,
    /// Found, and not yet told because the new position is not known yet.
    gap: Option<Gap>,
}

/// What a reader hears.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a gap means that anything may have changed"]
pub enum Heard {
    /// Everything that was added since the last call, in order, as far as it fits into one answer ([`BroadcastReader::MOST`] entries:
    /// more may be left then); nothing if nothing came in time.
    Entries(Vec<Entry>),
    /// Something may have been missed: assume that everything changed. Reading goes on from a position that was fixed before this
    /// was told, so what is loaded now cannot be older than what will be heard.
    Gap(Gap),
}

/// Why something may have been missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gap {
    /// Another data set than before: Redis was restarted, or failed over.
    ServerChanged,
    /// There is no stream any more.
    Deleted,
    /// The stream ends before the position: it was made anew, or went back in time.
    WentBack,
    /// Entries behind the position were trimmed away, deleted, or belonged to a stream that was deleted since.
    Missed,
}

/// What has been heard, by which server.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Position {
    replid: String,
    /// The last entry heard.
    id: EntryId,
    /// Entries that had ever been added to the stream when that one had been. At least 1.
    added: u64,
}

impl BroadcastReader {
    /// Entries of one answer at most.
    pub const MOST: usize = BATCH;

    /// A reader of all that is added from now on. When this returns, the position is fixed: what is loaded after it cannot have
    /// been changed before it unheard.
    pub async fn open(link: Link, names: &Names, stream: &str) -> Result<Self, LinkError> {
        let waiting = link.blocking();
        let key = names.stream(stream);
        let position = Position::resolve(&link, &key).await?;
        Ok(Self {
            link,
            waiting,
            key,
            position,
            gap: None,
        })
    }

    /// The next entries, or word of a gap. Waits at most `block` for something to come.
    ///
    /// After an error nothing has been lost: call again. Abandoned calls lose nothing either.
    pub async fn next(&mut self, block: Duration) -> Result<Heard, LinkError> {
        if self.gap.is_none() {
            let mut look = self.look(block).await?;
            match self.position.judge(&look, BATCH) {
                Ok(position) => {
                    self.position = position;
                    return Ok(Heard::Entries(std::mem::take(&mut look.entries)));
                }
                Err(gap) => self.gap = Some(gap),
            }
        }
        self.position = Position::resolve(&self.link, &self.key).await?;
        // Only now: had the lines above failed, the gap would still have to be told.
        Ok(self
            .gap
            .take()
            .map_or(Heard::Entries(Vec::new()), Heard::Gap))
    }

    async fn look(&mut self, block: Duration) -> Result<Look, LinkError> {
        let wake = wake(&self.key, self.position.id, block);
        let call = Call::new(&scripts::BROADCAST_LOOK, &self.key)
            .arg(self.position.id)
            .arg(BATCH);
        // What woke us is read again by the script, in one step with what tells whether it is all.
        let (woken, reply) = self.waiting.run(wake, block, Some(call)).await?;
        woken.extract_error()?;
        let mut reply = reply.ok_or_else(|| LinkError::Protocol("no answer to a call".into()))?;
        Look::read(&mut reply)
    }
}

impl Position {
    async fn resolve(link: &Link, key: &str) -> Result<Self, LinkError> {
        let mut reply = link.run(Call::new(&scripts::BROADCAST_OPEN, key)).await?;
        Ok(Self {
            replid: reply.word()?,
            id: reply.parse()?,
            added: reply.parse()?,
        })
    }

    /// The position after what was seen; or the gap, if that was not everything.
    ///
    /// Redis counts all entries that were ever added to a stream. Having heard `added` of them, a reader that gets all the rest
    /// must arrive at that count, and after any trimming, deletion or re-creation it does not. But for one case: a stream deleted and
    /// made anew within one millisecond has the ids of the old one again, and with as many of them up to the position as had been
    /// heard, nothing tells the two apart.
    fn judge(&self, look: &Look, asked: usize) -> Result<Self, Gap> {
        if look.replid != self.replid {
            return Err(Gap::ServerChanged);
        }
        let Some(state) = &look.state else {
            return Err(Gap::Deleted);
        };
        if state.last < self.id {
            return Err(Gap::WentBack);
        }
        let added = self.added + look.entries.len() as u64;
        let complete = if look.entries.len() < asked {
            state.added == added
        } else {
            // More is left: all of it must be there still.
            let cut = state.first > self.id && state.added != self.added + state.held;
            state.added >= added && !cut && state.deleted <= self.id
        };
        if !complete {
            return Err(Gap::Missed);
        }
        let id = look.entries.last().map_or(self.id, |entry| entry.id);
        Ok(Self {
            replid: self.replid.clone(),
            id,
            added,
        })
    }
}

/// What the script saw in one moment.
struct Look {
    replid: String,
    /// Nothing where there is no stream.
    state: Option<State>,
    entries: Vec<Entry>,
}

struct State {
    last: EntryId,
    added: u64,
    held: u64,
    first: EntryId,
    /// The greatest that was deleted by itself; trimming does not count.
    deleted: EntryId,
}

impl Look {
    fn read(reply: &mut Reply) -> Result<Self, LinkError> {
        let replid = reply.word()?;
        if reply.remaining() == 0 {
            return Ok(Self {
                replid,
                state: None,
                entries: Vec::new(),
            });
        }
        let last = reply.parse()?;
        let added = reply.parse()?;
        let held = reply.parse()?;
        let state = State {
            last,
            added,
            held,
            first: reply.parse()?,
            deleted: reply.parse()?,
        };
        let mut entries = Vec::with_capacity(reply.remaining() / 2);
        while reply.remaining() > 0 {
            entries.push(Entry::read(reply)?);
        }
        Ok(Self {
            replid,
            state: Some(state),
            entries,
        })
    }
}
