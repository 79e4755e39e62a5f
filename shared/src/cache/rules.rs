//! What one instance knows, and what it may serve because of it. Pure: moments come in, decisions go out.

use std::collections::HashMap;
use std::time::Duration;

use super::moment::Moment;
use crate::message::{ProgramChanged, ProgramId, ProgramVersion};

/// Floors remembered at most; with more, everything is forgotten together, which is safe.
const FLOORS: usize = 10_000;

/// Whether the instance hears of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hearing {
    /// It reads `program-evicted`. What it keeps is served only while the last successful read began within `fresh_for`.
    Follows {
        /// The bound.
        fresh_for: Duration,
    },
    /// It hears nothing (a process that is frozen between its invocations could not): age alone bounds what it serves.
    Deaf,
}

/// When and under what knowledge a loading began. Taken *before* anything is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The moment.
    pub began: Moment,
    epoch: u64,
}

/// What was loaded: a version (none: there is no such program), and under which ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The version.
    pub version: Option<ProgramVersion>,
    /// Its loading.
    pub ticket: Ticket,
}

/// The knowledge of one instance: which versions are gone, since when it has heard everything, and until when.
///
/// - A *floor* is the greatest version heard of for a program; nothing older is served, whenever it was loaded.
/// - An *epoch* is a span without a gap in hearing. What was loaded in an earlier one may have changed unheard: it is not served.
/// - Before the reader's position is fixed there is no epoch (0), and nothing is served from memory.
#[derive(Debug)]
pub struct Rules {
    hearing: Hearing,
    epoch: u64,
    floors: HashMap<ProgramId, ProgramVersion>,
    /// When the last successful read began: everything published before it is known.
    heard: Option<Moment>,
}

impl Rules {
    /// An instance that has heard nothing yet.
    pub fn new(hearing: Hearing) -> Self {
        let epoch = match hearing {
            Hearing::Follows { .. } => 0,
            Hearing::Deaf => 1,
        };
        Self {
            hearing,
            epoch,
            floors: HashMap::new(),
            heard: None,
        }
    }

    /// The reader's position is fixed, or fixed anew after a gap, by a read that began at `at`: what was kept before counts no more.
    pub fn begin(&mut self, at: Moment) {
        self.forget();
        self.heard = Some(at);
    }

    /// A read that began at `at` succeeded and brought these changes, or none.
    pub fn hear(&mut self, changes: impl IntoIterator<Item = ProgramChanged>, at: Moment) {
        self.hear_in_part(changes);
        self.heard = Some(at);
    }

    /// A read brought these changes, and more are left: what is kept counts as fresh no longer than it did.
    pub fn hear_in_part(&mut self, changes: impl IntoIterator<Item = ProgramChanged>) {
        for change in changes {
            self.raise(change);
        }
    }

    /// A read failed: until one succeeds, nothing is served from memory. What is kept is still good then, if there was no gap.
    pub fn fail(&mut self) {
        self.heard = None;
    }

    /// A change is known otherwise, e.g. because this instance made it.
    pub fn raise(&mut self, ProgramChanged { id, version }: ProgramChanged) {
        if self.floors.len() >= FLOORS && !self.floors.contains_key(&id) {
            self.forget();
        }
        let floor = self.floors.entry(id).or_insert(version);
        *floor = version.max(*floor);
    }

    /// To be taken before a loading.
    pub fn ticket(&self, now: Moment) -> Ticket {
        Ticket {
            began: now,
            epoch: self.epoch,
        }
    }

    /// Whether a version is older than what was heard of.
    pub fn is_gone(&self, id: ProgramId, version: Option<ProgramVersion>) -> bool {
        version < self.floors.get(&id).copied()
    }

    /// Whether what is kept may be served at `now`: young enough, not older than heard of, and nothing can have been missed since.
    pub fn may_serve(&self, id: ProgramId, stamp: &Stamp, ttl: Duration, now: Moment) -> bool {
        let complete = match self.hearing {
            Hearing::Follows { .. } => self.epoch != 0 && self.is_fresh(now),
            Hearing::Deaf => true,
        };
        complete
            && stamp.ticket.epoch == self.epoch
            && now.is_within(ttl, stamp.ticket.began)
            && !self.is_gone(id, stamp.version)
    }

    /// Whether everything published until a moment ago is known.
    pub fn is_fresh(&self, now: Moment) -> bool {
        match (self.hearing, self.heard) {
            (Hearing::Follows { fresh_for }, Some(heard)) => now.is_within(fresh_for, heard),
            _ => false,
        }
    }

    /// A new epoch: floors of the old one can go, since nothing loaded in it is served.
    fn forget(&mut self) {
        self.epoch += 1;
        self.floors.clear();
    }
}
