//! A budget of connections and of body bytes, shared by ports. Every method decides under one short lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::{Notify, oneshot};

/// A body that came no further for so long gives its bytes to others.
const HELD_BACK: Duration = Duration::from_secs(1);

/// What there is, for the status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct PlaceStats {
    /// Which ports share it.
    pub(crate) ports: &'static str,
    /// Connections open now.
    pub(crate) open: usize,
    /// Most connections at one time.
    pub(crate) limit: usize,
    /// Connections closed since the start to make room for others.
    pub(crate) closed: u64,
    /// Bytes of request bodies held now.
    pub(crate) body_bytes: usize,
    /// Most bytes of request bodies at one time.
    pub(crate) body_limit: usize,
}

/// The budget. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ports: &'static str,
    limit: usize,
    body_limit: usize,
    state: Mutex<State>,
    /// A place was left, or a connection began to wait for its client.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    held: BTreeMap<u64, Held>,
    /// Connections that wait for their client, the longest first.
    waiting: BTreeSet<(Instant, u64)>,
    bytes: usize,
    closed: u64,
    /// Connections that are being closed to make room: they count until they are gone.
    closing: usize,
    /// No room was found since the budget was last at three quarters: said once.
    short: bool,
}

#[derive(Debug)]
struct Held {
    /// Since when the host waits for the client; `None`: it works on a request.
    since: Option<Instant>,
    bytes: usize,
    close: oneshot::Sender<()>,
}

/// The place of one connection, free again once every copy is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Place(Arc<Taken>);

#[derive(Debug)]
struct Taken {
    shared: Arc<Shared>,
    id: u64,
}

/// There is no room for these bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Places {
    /// At most `limit` connections, and `body_limit` bytes of request bodies, for these ports together.
    pub(crate) fn new(ports: &'static str, limit: usize, body_limit: usize) -> Self {
        Self(Arc::new(Shared {
            ports,
            limit: limit.max(1),
            body_limit,
            state: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    pub(crate) fn ports(&self) -> &'static str {
        self.0.ports
    }

    pub(crate) fn stats(&self) -> PlaceStats {
        let Shared {
            ports,
            limit,
            body_limit,
            ..
        } = *self.0;
        let state = self.0.state();
        PlaceStats {
            ports,
            open: state.held.len() + state.closing,
            limit,
            closed: state.closed,
            body_bytes: state.bytes,
            body_limit,
        }
    }

    /// Takes a place for a new connection, and what says that it is to be closed. Where there is none, the connection that has
    /// waited longest for its client is closed, and this waits until it is gone; while none waits, this does.
    pub(crate) async fn take(&self) -> (Place, oneshot::Receiver<()>) {
        loop {
            let changed = self.0.changed.notified();
            if let Some(taken) = self.try_take(Instant::now()) {
                return taken;
            }
            changed.await;
        }
    }

    pub(crate) fn try_take(&self, now: Instant) -> Option<(Place, oneshot::Receiver<()>)> {
        let mut state = self.0.state();
        if state.held.len() + state.closing >= self.0.limit {
            self.0.say_short(&mut state, || {
                format!("all {} connections are in use", self.0.limit)
            });
            if state.closing == 0 {
                state.close_longest(|_, _| true)?;
            }
            return None;
        }
        if state.held.len() < self.0.limit / 4 * 3 && state.bytes < self.0.body_limit / 4 * 3 {
            state.short = false;
        }
        state.next += 1;
        let id = state.next;
        let (close, closed) = oneshot::channel();
        state.held.insert(
            id,
            Held {
                since: Some(now),
                bytes: 0,
                close,
            },
        );
        state.waiting.insert((now, id));
        Some((
            Place(Arc::new(Taken {
                shared: self.0.clone(),
                id,
            })),
            closed,
        ))
    }

    /// Closes the connection that has waited longest for its client: the host is short of something that it holds.
    pub(crate) fn make_room(&self) {
        let mut state = self.0.state();
        self.0.say_short(&mut state, || {
            "the host is out of open files or memory".to_owned()
        });
        let _ = state.close_longest(|_, _| true);
    }
}

impl Place {
    /// The host works on a request from now on. False: the connection is being closed, and nothing may be begun.
    pub(crate) fn works(&self) -> bool {
        let mut state = self.0.shared.state();
        state.set(self.0.id, None)
    }

    /// The host waits for the client from now on. The bytes of a request that is over are given back by [`Self::release`].
    pub(crate) fn waits(&self, now: Instant) {
        self.0.shared.state().set(self.0.id, Some(now));
        self.0.shared.changed.notify_waiters();
    }

    /// The client took some of its answer.
    pub(crate) fn progressed(&self, now: Instant) {
        let mut state = self.0.shared.state();
        if state
            .held
            .get(&self.0.id)
            .is_some_and(|held| held.since.is_some())
        {
            state.set(self.0.id, Some(now));
        }
    }

    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        self.0.shared.state().held.get(&self.0.id)?.since
    }

    /// Counts bytes of a body. Where there is no room, connections that hold back a body are closed, the longest first.
    pub(crate) fn hold(&self, bytes: usize, now: Instant) -> Result<(), Full> {
        let shared = &self.0.shared;
        let mut state = shared.state();
        while state.bytes + bytes > shared.body_limit {
            shared.say_short(&mut state, || {
                format!("request bodies take all of {} bytes", shared.body_limit)
            });
            let held_back = |held: &Held, since: Instant| {
                held.bytes > 0 && now.saturating_duration_since(since) >= HELD_BACK
            };
            state.close_longest(held_back).ok_or(Full)?;
        }
        if let Some(held) = state.held.get_mut(&self.0.id) {
            held.bytes += bytes;
            state.bytes += bytes;
        }
        Ok(())
    }

    /// Gives back what [`Self::hold`] counted.
    pub(crate) fn release(&self) {
        let mut state = self.0.shared.state();
        if let Some(held) = state.held.get_mut(&self.0.id) {
            let bytes = std::mem::take(&mut held.bytes);
            state.bytes -= bytes;
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if state.leave(self.id).is_none() {
            state.closing -= 1;
        }
        drop(state);
        self.shared.changed.notify_waiters();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Once, until there has been room again.
    fn say_short(&self, state: &mut State, what: impl FnOnce() -> String) {
        if !std::mem::replace(&mut state.short, true) {
            let ports = self.ports;
            let what = what();
            tracing::warn!(
                ports,
                "{what}; the connections that wait longest for their client are closed to make room"
            );
        }
    }
}

impl State {
    /// False: it has left, or was closed.
    fn set(&mut self, id: u64, since: Option<Instant>) -> bool {
        let Some(held) = self.held.get_mut(&id) else {
            return false;
        };
        if let Some(before) = std::mem::replace(&mut held.since, since) {
            self.waiting.remove(&(before, id));
        }
        if let Some(now) = since {
            self.waiting.insert((now, id));
        }
        true
    }

    fn leave(&mut self, id: u64) -> Option<Held> {
        let held = self.held.remove(&id)?;
        if let Some(since) = held.since {
            self.waiting.remove(&(since, id));
        }
        self.bytes -= held.bytes;
        Some(held)
    }

    /// Closes the connection that has waited longest of those that `may` go. Its bytes are free at once, its place when it is gone.
    fn close_longest(&mut self, may: impl Fn(&Held, Instant) -> bool) -> Option<()> {
        let found = self
            .waiting
            .iter()
            .find(|(since, id)| self.held.get(id).is_some_and(|held| may(held, *since)));
        let (_, id) = *found?;
        let held = self.leave(id)?;
        self.closed += 1;
        self.closing += 1;
        // a connection that has just ended is not there to receive it
        let _ = held.close.send(());
        Some(())
    }
}
