//! When an instance may serve a program from memory. Pure: times are parameters.

use std::collections::HashMap;
use std::time::Duration;

use super::freshness::DualInstant;
use crate::message::{ProgramChanged, ProgramId, ProgramVersion};

/// Maximum number of floors; beyond it, all stored programs are discarded, which is safe.
const FLOORS: usize = 10_000;

/// How the instance learns of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeFeed {
    /// It reads `program-evicted`. Memory is served only while the last successful read began
    /// within `fresh_for`.
    Follows {
        /// The bound.
        fresh_for: Duration,
    },
    /// Not at all, e.g. a process that is frozen between invocations: age alone bounds what it
    /// serves.
    Unavailable,
}

/// When and in which epoch a load began. Taken *before* the first request of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadTicket {
    /// When it began.
    pub began: DualInstant,
    epoch: u64,
}

/// What was loaded: a version (`None`: there is no such program), and its ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The version.
    pub version: Option<ProgramVersion>,
    /// Its load.
    pub ticket: LoadTicket,
}

/// The state of one instance: outdated versions, and the time span without a missed change.
///
/// - A *floor* is the greatest version received for a program; older ones are not served.
/// - An *epoch* is a span without a gap in the changes. Programs loaded in an earlier epoch may
///   have changed unnoticed and are not served.
/// - Before the reader's position is fixed the epoch is 0, and memory is not served.
#[derive(Debug)]
pub struct Rules {
    feed: ChangeFeed,
    epoch: u64,
    floors: HashMap<ProgramId, ProgramVersion>,
    /// When the last complete read began: all changes published before are applied.
    current_as_of: Option<DualInstant>,
}

impl Rules {
    /// The state before the first read.
    pub fn new(feed: ChangeFeed) -> Self {
        let epoch = match feed {
            ChangeFeed::Follows { .. } => 0,
            ChangeFeed::Unavailable => 1,
        };
        Self {
            feed,
            epoch,
            floors: HashMap::new(),
            current_as_of: None,
        }
    }

    /// The reader's position is fixed, at the start or after a gap, by a read that began at `at`.
    /// Programs stored before are not served any more.
    pub fn begin(&mut self, at: DualInstant) {
        self.discard();
        self.current_as_of = Some(at);
    }

    /// Applies the changes of a read that began at `at`, after which no entry was left.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = ProgramChanged>, at: DualInstant) {
        self.apply_partial(changes);
        self.current_as_of = Some(at);
    }

    /// Applies the changes of a read that left entries: memory is not served until a read
    /// completes.
    pub fn apply_partial(&mut self, changes: impl IntoIterator<Item = ProgramChanged>) {
        for change in changes {
            self.raise(change);
        }
    }

    /// A read failed: memory is not served until one succeeds. Stored programs stay valid if there
    /// was no gap.
    pub fn fail(&mut self) {
        self.current_as_of = None;
    }

    /// Applies a change from another source, e.g. one made by this instance.
    pub fn raise(&mut self, ProgramChanged { id, version }: ProgramChanged) {
        if self.floors.len() >= FLOORS && !self.floors.contains_key(&id) {
            self.discard();
        }
        let floor = self.floors.entry(id).or_insert(version);
        *floor = version.max(*floor);
    }

    /// The ticket of a load that begins now.
    pub fn ticket(&self, now: DualInstant) -> LoadTicket {
        LoadTicket {
            began: now,
            epoch: self.epoch,
        }
    }

    /// Whether a newer version has been received.
    pub fn is_superseded(&self, id: ProgramId, version: Option<ProgramVersion>) -> bool {
        version < self.floors.get(&id).copied()
    }

    /// Whether a stored program may be served at `now`: it is young enough, not superseded, and no
    /// change can have been missed since it was loaded.
    pub fn may_serve(&self, id: ProgramId, stamp: &Stamp, ttl: Duration, now: DualInstant) -> bool {
        let complete = match self.feed {
            ChangeFeed::Follows { .. } => self.epoch != 0 && self.is_fresh(now),
            ChangeFeed::Unavailable => true,
        };
        complete
            && stamp.ticket.epoch == self.epoch
            && now.is_within(ttl, stamp.ticket.began)
            && !self.is_superseded(id, stamp.version)
    }

    /// Whether the last complete read is recent.
    pub fn is_fresh(&self, now: DualInstant) -> bool {
        match (self.feed, self.current_as_of) {
            (ChangeFeed::Follows { fresh_for }, Some(at)) => now.is_within(fresh_for, at),
            _ => false,
        }
    }

    /// Begins a new epoch. Floors of the old one are not needed: its programs are not served.
    fn discard(&mut self) {
        self.epoch += 1;
        self.floors.clear();
    }
}
