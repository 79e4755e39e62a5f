//! The caches of a program: changes are committed, announced and evicted, while readers fill the
//! shared cache and their memory.
//!
//! What the scripts and statements do is stated here: cache/lua/get.lua, put.lua and raise.lua,
//! `outbox_add.sql` and `outbox_unpublished.sql`. Left out: times to live, which bound every stale
//! copy, and lost data of Redis, after which the lease of get.lua is gone.

use crate::explore::Machine;
use crate::protections::{Kept, Protection};

/// A process at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CacheStep {
    /// A reader: get.lua.
    Get,
    /// A reader: reads Postgres.
    Read,
    /// A reader: put.lua, with the version read.
    Put(u8),
    /// A reader: keeps the version in memory, unless a newer one was received.
    Keep(u8),
    /// A promoter: the transaction of the change.
    Commit,
    /// A promoter: raise.lua.
    Raise(u8),
    /// A promoter, or the sweep: appends the change to the stream.
    Announce(u8),
    /// A promoter, or the sweep: `outbox_published.sql`.
    Published(u8),
    /// cache-invalidator: raise.lua.
    Evict(u8),
    /// cache-invalidator: notifies every instance.
    Notify(u8),
}

/// A state of the caches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheState {
    /// The committed version.
    version: u8,
    /// Committed changes that are not marked as published, one bit each.
    outbox: u8,
    /// Announced changes that the invalidator has not handled, one bit each.
    stream: u8,
    /// The floor of the shared cache, and its body.
    floor: u8,
    body: Option<u8>,
    /// The floor of an instance, and what it has in memory.
    received: u8,
    memory: Option<u8>,
    /// Processes, each at its next step.
    tasks: Vec<CacheStep>,
    /// Left: changes, reads, crashes.
    left: [u8; 3],
}

/// An action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheAction {
    /// The process at this place does its next effect.
    Run(u8),
    /// The process at this place is killed.
    Crash(u8),
    /// A promoter changes the program.
    Change,
    /// An instance whose memory may not be served reads the program.
    Load,
    /// The sweep takes a change from the outbox.
    Sweep(u8),
    /// cache-invalidator receives a change.
    Receive(u8),
}

/// The caches of a program.
#[derive(Debug, Clone, Copy)]
pub struct Caches {
    /// The protections in force.
    pub kept: Kept,
}

impl Caches {
    fn run(self, state: &mut CacheState, at: usize) {
        let next = match state.tasks.remove(at) {
            CacheStep::Get => Some(state.body.map_or(CacheStep::Read, CacheStep::Keep)),
            CacheStep::Read => Some(CacheStep::Put(state.version)),
            CacheStep::Put(version) => {
                let is_old = version < state.floor || state.body.is_some_and(|at| version < at);
                if !is_old || !self.kept.has(Protection::VersionFloor) {
                    state.body = Some(version);
                }
                Some(CacheStep::Keep(version))
            }
            // Loaded again where a newer version was received meanwhile.
            CacheStep::Keep(version) if version < state.received => Some(CacheStep::Read),
            CacheStep::Keep(version) => {
                state.memory = Some(version);
                None
            }
            CacheStep::Commit => {
                state.version += 1;
                if self.kept.has(Protection::Outbox) {
                    state.outbox |= 1 << state.version;
                }
                Some(CacheStep::Raise(state.version))
            }
            CacheStep::Raise(version) => {
                raise(state, version);
                Some(CacheStep::Announce(version))
            }
            CacheStep::Announce(version) => {
                state.stream |= 1 << version;
                Some(CacheStep::Published(version))
            }
            CacheStep::Published(version) => {
                state.outbox &= !(1 << version);
                None
            }
            CacheStep::Evict(version) => {
                raise(state, version);
                Some(CacheStep::Notify(version))
            }
            CacheStep::Notify(version) => {
                state.received = state.received.max(version);
                state.memory = state.memory.filter(|at| *at >= state.received);
                state.stream &= !(1 << version);
                None
            }
        };
        state.tasks.extend(next);
    }
}

/// raise.lua.
fn raise(state: &mut CacheState, version: u8) {
    state.floor = state.floor.max(version);
    state.body = state.body.filter(|body| *body >= state.floor);
}

fn bits(of: u8) -> impl Iterator<Item = u8> {
    (0..8).filter(move |version| of & 1 << version != 0)
}

impl Machine for Caches {
    type State = CacheState;
    type Action = CacheAction;

    fn first(&self) -> CacheState {
        CacheState {
            version: 0,
            outbox: 0,
            stream: 0,
            floor: 0,
            body: None,
            received: 0,
            memory: None,
            tasks: Vec::new(),
            left: [2, 3, 1],
        }
    }

    fn actions(&self, state: &CacheState, actions: &mut Vec<CacheAction>) {
        for n in 0..state.tasks.len() as u8 {
            actions.push(CacheAction::Run(n));
            if state.left[2] > 0 {
                actions.push(CacheAction::Crash(n));
            }
        }
        if state.tasks.len() >= 3 {
            return;
        }
        if state.left[0] > 0 {
            actions.push(CacheAction::Change);
        }
        if state.left[1] > 0 && state.memory.is_none() {
            actions.push(CacheAction::Load);
        }
        actions.extend(bits(state.outbox).map(CacheAction::Sweep));
        actions.extend(bits(state.stream).map(CacheAction::Receive));
    }

    fn after(&self, state: &CacheState, action: CacheAction) -> CacheState {
        let mut next = state.clone();
        match action {
            CacheAction::Run(n) => self.run(&mut next, usize::from(n)),
            CacheAction::Crash(n) => {
                next.left[2] -= 1;
                next.tasks.remove(usize::from(n));
            }
            CacheAction::Change => {
                next.left[0] -= 1;
                next.tasks.push(CacheStep::Commit);
            }
            CacheAction::Load => {
                next.left[1] -= 1;
                next.tasks.push(CacheStep::Get);
            }
            CacheAction::Sweep(version) => next.tasks.push(CacheStep::Announce(version)),
            CacheAction::Receive(version) => next.tasks.push(CacheStep::Evict(version)),
        }
        next.tasks.sort_unstable();
        next
    }

    fn is_duty(&self, action: CacheAction) -> bool {
        matches!(
            action,
            CacheAction::Run(_) | CacheAction::Sweep(_) | CacheAction::Receive(_)
        )
    }

    fn broken(&self, _: &CacheState, _: &CacheState) -> Option<&'static str> {
        None
    }

    fn unsettled(&self, state: &CacheState) -> Option<&'static str> {
        if state.body.is_some_and(|body| body != state.version) {
            return Some("the shared cache keeps an old version");
        }
        if state.memory.is_some_and(|at| at != state.version) {
            return Some("an instance keeps an old version");
        }
        (state.outbox != 0).then_some("a change is never published")
    }

    fn describe(&self, state: &CacheState, action: CacheAction) -> String {
        match action {
            CacheAction::Run(n) => format!("{:?}", state.tasks[usize::from(n)]),
            CacheAction::Crash(n) => {
                format!("the process at {:?} is killed", state.tasks[usize::from(n)])
            }
            other => format!("{other:?}"),
        }
    }
}
