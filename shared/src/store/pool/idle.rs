//! Connections that wait for their next use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use sqlx::Connection;
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::session::Session;
use super::{Places, RETURN};

/// Connections idle for longer are closed, up to as much time later.
const IDLE: Duration = Duration::from_mins(1);

/// A connection that no caller uses.
#[derive(Debug)]
pub(super) struct IdleConnection {
    pub(super) session: Session,
    /// When it was returned.
    pub(super) since: Instant,
}

/// The idle connections, the one returned last on top. Those below are used only when many are
/// needed at once, so they grow old and are closed.
#[derive(Debug, Default)]
pub(super) struct IdleConnections(Mutex<Stack>);

#[derive(Debug, Default)]
struct Stack {
    connections: Vec<IdleConnection>,
    /// A task closes those that are idle for long.
    is_reaped: bool,
}

impl IdleConnections {
    fn lock(&self) -> MutexGuard<'_, Stack> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that was returned last.
    pub(super) fn take(&self) -> Option<IdleConnection> {
        self.lock().connections.pop()
    }

    /// Closes the connections that are idle now: they lead to a server that does not answer, or
    /// answers that it is not usable.
    pub(super) fn distrust(&self) {
        // Dropped outside of the lock.
        let suspects = std::mem::take(&mut self.lock().connections);
        drop(suspects);
    }

    /// Takes all connections out, to close them in order.
    pub(super) fn take_all(&self) -> impl Iterator<Item = Session> + use<> {
        let all = std::mem::take(&mut self.lock().connections);
        all.into_iter().map(|idle| idle.session)
    }

    /// Adds a connection that has no statement and no transaction.
    pub(super) fn put(places: &Arc<Places>, session: Session) {
        let mut stack = places.idle.lock();
        stack.connections.push(IdleConnection {
            session,
            since: Instant::now(),
        });
        // Without a runtime there is no later use either.
        if !stack.is_reaped
            && let Ok(runtime) = Handle::try_current()
        {
            stack.is_reaped = true;
            runtime.spawn(reap(Arc::downgrade(places)));
        }
    }

    /// The connections that have been idle for long. `None` if no connection is left.
    fn take_old(&self) -> Option<Vec<IdleConnection>> {
        let mut stack = self.lock();
        if stack.connections.is_empty() {
            stack.is_reaped = false;
            return None;
        }
        let recent = stack
            .connections
            .partition_point(|idle| idle.since.elapsed() > IDLE);
        Some(stack.connections.drain(..recent).collect())
    }
}

/// Closes idle connections until there are none, or the pool is dropped.
async fn reap(places: Weak<Places>) {
    loop {
        sleep(IDLE).await;
        let Some(old) = places.upgrade().and_then(|places| places.idle.take_old()) else {
            return;
        };
        for idle in old {
            let _ = timeout(RETURN, idle.session.connection.close()).await;
        }
    }
}
