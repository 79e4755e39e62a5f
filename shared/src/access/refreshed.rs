//! A value that is read once, kept, and read again on request: by one read at a time.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::time::Instant;

use super::SourceError;

/// Minimum time between two reads of a secret by one process.
pub const PAUSE: Duration = Duration::from_secs(2);

type Outcome<T> = Result<T, SourceError>;
/// Reads the value. Receives the one that was read before, if there is one.
type Read<T> = Box<dyn Fn(Option<T>) -> BoxFuture<'static, Outcome<T>> + Send + Sync>;

/// The value, shared by all callers. Clones share it.
pub(super) struct Refreshed<T>(Arc<Inner<T>>);

struct Inner<T> {
    read: Read<T>,
    pause: Duration,
    state: Mutex<State<T>>,
}

struct State<T> {
    /// The value of the last read that succeeded.
    value: Option<T>,
    /// The read in progress. A task of its own: it continues when its callers give up, so that the
    /// next one finds the value.
    reading: Option<Shared<BoxFuture<'static, Outcome<T>>>>,
    /// End and outcome of the last read.
    last: Option<(Instant, Outcome<T>)>,
}

impl<T> Clone for Refreshed<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Clone + Send + Sync + 'static> Refreshed<T> {
    pub(super) fn new<F>(
        pause: Duration,
        read: impl Fn(Option<T>) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Outcome<T>> + Send + 'static,
    {
        Self(Arc::new(Inner {
            read: Box::new(move |before| read(before).boxed()),
            pause,
            state: Mutex::new(State {
                value: None,
                reading: None,
                last: None,
            }),
        }))
    }

    /// The value that was read last, or else the outcome of a read.
    pub(super) async fn current(&self) -> Outcome<T> {
        let known = self.lock().value.clone();
        match known {
            Some(value) => Ok(value),
            None => self.again().await,
        }
    }

    /// The outcome of a read that begins now, is in progress, or ended less than the pause ago.
    pub(super) async fn again(&self) -> Outcome<T> {
        let reading = self.reading(self.0.pause);
        match reading {
            Ok(reading) => reading.await,
            Err(outcome) => outcome,
        }
    }

    /// Begins a read if the last one is older than `age`. The value is not waited for.
    pub(super) fn refresh_after(&self, age: Duration) {
        let _ = self.reading(age.max(self.0.pause));
    }

    fn reading(
        &self,
        pause: Duration,
    ) -> Result<Shared<BoxFuture<'static, Outcome<T>>>, Outcome<T>> {
        let mut state = self.lock();
        if let Some(reading) = &state.reading {
            return Ok(reading.clone());
        }
        if let Some((ended, outcome)) = &state.last
            && ended.elapsed() < pause
        {
            return Err(outcome.clone());
        }
        let value = (self.0.read)(state.value.clone());
        let inner = self.0.clone();
        let task = tokio::spawn(async move {
            let outcome = value.await;
            let mut state = inner.state.lock().unwrap_or_else(PoisonError::into_inner);
            if let Ok(value) = &outcome {
                state.value = Some(value.clone());
            }
            state.last = Some((Instant::now(), outcome.clone()));
            state.reading = None;
            outcome
        });
        let reading = task
            .map(|ended| ended.unwrap_or(Err(SourceError::Ended)))
            .boxed()
            .shared();
        state.reading = Some(reading.clone());
        Ok(reading)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Refreshed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Refreshed")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// Counts its reads. Each waits for a permit.
    fn counting(pause: Duration) -> (Refreshed<u32>, Arc<Semaphore>, Arc<AtomicU32>) {
        let permits = Arc::new(Semaphore::new(0));
        let reads = Arc::new(AtomicU32::new(0));
        let (waits, counts) = (permits.clone(), reads.clone());
        let value = Refreshed::new(pause, move |_| {
            let (waits, counts) = (waits.clone(), counts.clone());
            async move {
                let number = counts.fetch_add(1, Ordering::SeqCst) + 1;
                waits
                    .acquire()
                    .await
                    .map_err(|_| SourceError::Ended)?
                    .forget();
                Ok(number)
            }
        });
        (value, permits, reads)
    }

    #[tokio::test]
    async fn concurrent_callers_share_one_read() {
        let (value, permits, reads) = counting(PAUSE);
        permits.add_permits(1);
        let callers = (0..20).map(|_| value.current());
        for outcome in futures::future::join_all(callers).await {
            assert_eq!(outcome, Ok(1));
        }
        assert_eq!(value.current().await, Ok(1));
        assert_eq!(value.again().await, Ok(1), "read less than a pause ago");
        assert_eq!(reads.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_read_continues_without_its_caller() {
        let (value, permits, reads) = counting(Duration::ZERO);
        let caller = tokio::spawn({
            let value = value.clone();
            async move { value.current().await }
        });
        while reads.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        caller.abort();
        permits.add_permits(1);
        assert_eq!(value.current().await, Ok(1));
    }

    #[tokio::test]
    async fn a_failed_read_keeps_the_value() {
        let (value, permits, _) = counting(Duration::ZERO);
        permits.add_permits(1);
        assert_eq!(value.current().await, Ok(1));
        permits.close();
        assert_eq!(value.again().await, Err(SourceError::Ended));
        assert_eq!(value.current().await, Ok(1));
    }
}
