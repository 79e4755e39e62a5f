//! A budget of connections and of request body bytes that ports share. Every method takes one short
//! lock and awaits nothing under it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::lock::lock;
use serde::Serialize;
use tokio::sync::{Notify, oneshot};

/// A connection whose body made no progress for so long may be closed for its bytes.
const BODY_STALL_TIME: Duration = Duration::from_secs(1);

/// Usage, for the status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct BudgetStats {
    /// Name of the ports that share the budget.
    pub(crate) ports: &'static str,
    /// Connections open now.
    pub(crate) open: usize,
    /// Connections at one time at most.
    pub(crate) limit: usize,
    /// Connections closed to make room since the host started.
    pub(crate) closed: u64,
    /// Bytes of request bodies held now.
    pub(crate) body_bytes: usize,
    /// Bytes of request bodies at one time at most.
    pub(crate) body_limit: usize,
}

/// The limits and who uses them. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionBudget(Arc<BudgetInner>);

#[derive(Debug)]
struct BudgetInner {
    ports: &'static str,
    limit: usize,
    body_limit: usize,
    usage: Mutex<Usage>,
    /// Notified when a permit is dropped or a connection starts to wait for its client.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Usage {
    next: u64,
    held: BTreeMap<u64, Held>,
    /// Connections that wait for their client, by the start of the wait.
    waiting: BTreeSet<(Instant, u64)>,
    bytes: usize,
    closed: u64,
    /// Connections that are being closed to make room. They count until their permit is dropped.
    closing: usize,
    /// A shortage was logged since usage was last below three quarters.
    shortage_logged: bool,
}

#[derive(Debug)]
struct Held {
    /// Since when the host waits for the client; `None`: it is working on a request.
    since: Option<Instant>,
    bytes: usize,
    close: oneshot::Sender<()>,
}

/// The right of one connection to be open, returned when the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionPermit(Arc<PermitInner>);

#[derive(Debug)]
struct PermitInner {
    budget: Arc<BudgetInner>,
    id: u64,
}

/// The bytes do not fit into the budget.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BudgetExhausted;

impl Default for ConnectionBudget {
    /// For a listener that shares with no other: 512 connections, 64 MiB of bodies.
    fn default() -> Self {
        Self::new("HTTP", 512, 64 * 1024 * 1024)
    }
}

impl ConnectionBudget {
    /// `limit` connections and `body_limit` bytes of request bodies at most, for these ports
    /// together.
    pub(crate) fn new(ports: &'static str, limit: usize, body_limit: usize) -> Self {
        Self(Arc::new(BudgetInner {
            ports,
            limit: limit.max(1),
            body_limit,
            usage: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    pub(crate) fn ports(&self) -> &'static str {
        self.0.ports
    }

    pub(crate) fn stats(&self) -> BudgetStats {
        let usage = self.0.usage();
        BudgetStats {
            ports: self.0.ports,
            open: usage.open(),
            limit: self.0.limit,
            closed: usage.closed,
            body_bytes: usage.bytes,
            body_limit: self.0.body_limit,
        }
    }

    /// Waits for a permit for a new connection; the receiver resolves when that connection must be
    /// closed. At the limit, the connection that has waited longest for its client is closed first.
    pub(crate) async fn acquire(&self) -> (ConnectionPermit, oneshot::Receiver<()>) {
        loop {
            let changed = self.0.changed.notified();
            if let Some(acquired) = self.try_acquire(Instant::now()) {
                return acquired;
            }
            changed.await;
        }
    }

    pub(crate) fn try_acquire(
        &self,
        now: Instant,
    ) -> Option<(ConnectionPermit, oneshot::Receiver<()>)> {
        let mut usage = self.0.usage();
        let BudgetInner {
            limit, body_limit, ..
        } = *self.0;
        if usage.open() >= limit {
            let what = || format!("all {limit} connections are in use");
            self.0.log_shortage(&mut usage, what);
            if usage.closing == 0 {
                usage.close_longest_waiting(|_, _| true)?;
            }
            return None;
        }
        if usage.held.len() < limit / 4 * 3 && usage.bytes < body_limit / 4 * 3 {
            usage.shortage_logged = false;
        }
        usage.next += 1;
        let id = usage.next;
        let (close, closed) = oneshot::channel();
        let held = Held {
            since: Some(now),
            bytes: 0,
            close,
        };
        usage.held.insert(id, held);
        usage.waiting.insert((now, id));
        let budget = self.0.clone();
        let permit = ConnectionPermit(Arc::new(PermitInner { budget, id }));
        Some((permit, closed))
    }

    /// Closes the connection that has waited longest for its client, to free its file descriptor.
    pub(crate) fn make_room(&self) {
        let mut usage = self.0.usage();
        let what = || "the host is out of open files or memory".to_owned();
        self.0.log_shortage(&mut usage, what);
        let _ = usage.close_longest_waiting(|_, _| true);
    }
}

impl ConnectionPermit {
    /// Marks the connection as busy with a request. False: it is being closed, and no work may
    /// start.
    pub(crate) fn start_request(&self) -> bool {
        self.0.budget.usage().set(self.0.id, None)
    }

    /// Marks the connection as waiting for its client.
    pub(crate) fn wait_for_client(&self, now: Instant) {
        self.0.budget.usage().set(self.0.id, Some(now));
        self.0.budget.changed.notify_waiters();
    }

    /// The client took bytes of its response: the wait starts again.
    pub(crate) fn record_progress(&self, now: Instant) {
        let mut usage = self.0.budget.usage();
        let held = usage.held.get(&self.0.id);
        if held.is_some_and(|held| held.since.is_some()) {
            usage.set(self.0.id, Some(now));
        }
    }

    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        self.0.budget.usage().held.get(&self.0.id)?.since
    }

    /// Counts bytes of a body. Where they do not fit, connections with a stalled body are closed,
    /// the longest stalled first.
    pub(crate) fn reserve_bytes(&self, bytes: usize, now: Instant) -> Result<(), BudgetExhausted> {
        let budget = &self.0.budget;
        let mut usage = budget.usage();
        while usage.bytes + bytes > budget.body_limit {
            let limit = budget.body_limit;
            let what = || format!("request bodies take all {limit} bytes of the budget");
            budget.log_shortage(&mut usage, what);
            let stalled = |held: &Held, since: Instant| {
                held.bytes > 0 && now.saturating_duration_since(since) >= BODY_STALL_TIME
            };
            let closed = usage.close_longest_waiting(stalled);
            closed.ok_or(BudgetExhausted)?;
        }
        if let Some(held) = usage.held.get_mut(&self.0.id) {
            held.bytes += bytes;
            usage.bytes += bytes;
        }
        Ok(())
    }

    /// Returns what [`Self::reserve_bytes`] counted.
    pub(crate) fn release_bytes(&self) {
        let mut usage = self.0.budget.usage();
        let held = usage.held.get_mut(&self.0.id);
        usage.bytes -= held.map_or(0, |held| std::mem::take(&mut held.bytes));
    }
}

impl Drop for PermitInner {
    fn drop(&mut self) {
        let mut usage = self.budget.usage();
        if usage.remove(self.id).is_none() {
            usage.closing -= 1;
        }
        drop(usage);
        self.budget.changed.notify_waiters();
    }
}

impl BudgetInner {
    fn usage(&self) -> MutexGuard<'_, Usage> {
        lock(&self.usage)
    }

    /// Logs a shortage once, until usage has fallen below three quarters.
    fn log_shortage(&self, usage: &mut Usage, what: impl FnOnce() -> String) {
        if !std::mem::replace(&mut usage.shortage_logged, true) {
            tracing::warn!(
                ports = self.ports,
                "{}; the host closes the connections that wait longest for their client",
                what()
            );
        }
    }
}

impl Usage {
    fn open(&self) -> usize {
        self.held.len() + self.closing
    }

    /// False: the connection is gone or being closed.
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

    fn remove(&mut self, id: u64) -> Option<Held> {
        let held = self.held.remove(&id)?;
        if let Some(since) = held.since {
            self.waiting.remove(&(since, id));
        }
        self.bytes -= held.bytes;
        Some(held)
    }

    /// Closes the connection that has waited longest of those that `may_close` selects. Its bytes
    /// are free at once, its permit when the connection is gone.
    fn close_longest_waiting(&mut self, may_close: impl Fn(&Held, Instant) -> bool) -> Option<()> {
        let (_, id) = *self.waiting.iter().find(|(since, id)| {
            let held = self.held.get(id);
            held.is_some_and(|held| may_close(held, *since))
        })?;
        let held = self.remove(id)?;
        self.closed += 1;
        self.closing += 1;
        // the receiver is gone where the connection has just ended
        let _ = held.close.send(());
        Some(())
    }
}
