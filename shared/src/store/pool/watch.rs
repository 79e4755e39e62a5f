//! Whether a statement that has no answer for long is still executed.
//!
//! A connection may fall silent without an end: its server was replaced or cut off, a firewall
//! forgot it, an answer was lost. The driver offers no socket options, and a server that executes a
//! long statement is silent as well. So another connection to the same address looks for the
//! session: if its server is another one, or the session waits for its next statement, no answer is
//! to come.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::Error;
use tokio::time::timeout;

use super::session::Backend;
use super::{Places, unfit};

/// Silence after which the session is looked for.
const SILENCE: Duration = Duration::from_secs(2);
/// Time between two looks.
const AGAIN: Duration = Duration::from_secs(4);
/// Maximum time of a look. One that takes longer finds nothing out.
const LOOK: Duration = Duration::from_secs(1);
/// How long an answer may still be on its way after the statement has ended.
const LATE: Duration = Duration::from_millis(500);

/// Looks for the session of one connection.
pub(super) struct Watch {
    places: Arc<Places>,
    /// `None` behind a pooler: the process that serves the connection is not known.
    backend: Option<Backend>,
}

impl Watch {
    pub(super) fn new(places: &Arc<Places>, backend: Option<&Backend>) -> Self {
        Self {
            places: places.clone(),
            backend: backend.cloned(),
        }
    }

    /// Waits for the next answer, for at most `limit`, and not after it is known to be lost.
    pub(super) async fn answer<T>(
        &self,
        limit: Duration,
        next: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let mut next = pin!(next);
        let began = Instant::now();
        let mut silence = SILENCE;
        loop {
            let left = limit.saturating_sub(began.elapsed());
            if let Ok(answer) = timeout(silence.min(left), next.as_mut()).await {
                return Ok(answer);
            }
            let left = limit.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(unfit::silent(limit));
            }
            let is_lost = tokio::select! {
                answer = next.as_mut() => return Ok(answer),
                is_lost = timeout(LOOK.min(left), self.is_lost()) => is_lost.unwrap_or(false),
            };
            if is_lost {
                let answer = timeout(LATE, next).await;
                return answer.map_err(|_| unfit::lost());
            }
            silence = AGAIN;
        }
    }

    /// False if that cannot be found out.
    async fn is_lost(&self) -> bool {
        let Some(backend) = &self.backend else {
            return false;
        };
        // One after the other: statements that are slow because the server is overloaded must not
        // open a connection each. The semaphore is never closed.
        let Ok(_only) = self.places.looking.acquire().await else {
            return false;
        };
        // On the heap, since nearly every statement does without this future.
        let is_busy = Box::pin(self.places.opener.is_busy(backend)).await;
        matches!(is_busy, Ok(false))
    }
}
