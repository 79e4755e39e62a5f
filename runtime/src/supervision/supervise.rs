//! Runs a component, and restarts it when it ends.

use std::any::Any;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::backoff::Backoff;
use super::registry::Component;
use crate::waiting::turned;

/// Time before a panic on purpose: the component is working by then.
const PANIC_DELAY: Duration = Duration::from_secs(1);

/// Why a component failed during the drain, when it is not restarted.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// It ended with an error.
    #[error("{part}: {why}")]
    Failed {
        /// Name of the component.
        part: String,
        /// The reason.
        #[source]
        why: Box<dyn Error + Send + Sync>,
    },
    /// It panicked.
    #[error("{part}: {why}")]
    Panicked {
        /// Name of the component.
        part: String,
        /// The panic, as a clause.
        why: String,
    },
}

impl ComponentError {
    /// The reason, without the name of the component.
    fn reason(&self) -> String {
        match self {
            Self::Failed { why, .. } => why.to_string(),
            Self::Panicked { why, .. } => why.clone(),
        }
    }
}

/// Runs a component until its future succeeds, or has drained after `stopping` turned true (or its
/// sender was dropped). `start` creates the future of each start. After an error or a panic the
/// component is restarted after a pause. Dropping this future ends the component.
///
/// # Errors
/// Why the component failed during the drain, when it is not restarted.
pub async fn supervise<S, F, E>(
    part: Component,
    mut stopping: watch::Receiver<bool>,
    mut start: S,
) -> Result<(), ComponentError>
where
    S: FnMut() -> F,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
{
    let mut backoff = Backoff::default();
    loop {
        let begun = Instant::now();
        part.started(begun);
        let Err(error) = run_once(&part, &mut start).await else {
            return Ok(());
        };
        let why = error.reason();
        part.ended(&why);
        if *stopping.borrow() || stopping.has_changed().is_err() {
            return Err(error);
        }
        let pause = backoff.pause(begun.elapsed());
        tracing::error!(
            alarm = "component_ended",
            part = part.name(),
            "{} ended: {why}. It starts again in {} ms; other components continue",
            part.name(),
            pause.as_millis()
        );
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = turned(&mut stopping) => return Ok(()),
        }
        tracing::info!(part = part.name(), "{} starts again", part.name());
    }
}

/// Starts a component, and waits until it ends. A panic in `start` is one of the component.
async fn run_once<S, F, E>(part: &Component, start: &mut S) -> Result<(), ComponentError>
where
    S: FnMut() -> F,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
{
    let name = || part.name().to_owned();
    let panicked = |why| ComponentError::Panicked { part: name(), why };
    let run = catch_unwind(AssertUnwindSafe(start))
        .map_err(|panic| panicked(format!("it panicked: {}", panic_message(&*panic))))?;
    // dropping the set aborts its task
    let mut task = JoinSet::new();
    task.spawn(with_fault(part.clone(), run));
    match task.join_next().await {
        None | Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(why))) => Err(ComponentError::Failed {
            part: name(),
            why: why.into(),
        }),
        Some(Err(error)) => Err(panicked(panic_text(error))),
    }
}

/// The future, with a panic in it if the component must panic on purpose.
pub(crate) async fn with_fault<T>(part: Component, run: impl Future<Output = T>) -> T {
    if !part.must_panic() {
        return run.await;
    }
    tokio::select! {
        ended = run => ended,
        () = tokio::time::sleep(PANIC_DELAY) => {
            panic!("on purpose: --panic {:?}", part.name())
        }
    }
}

/// Why a task ended without a result.
pub(crate) fn panic_text(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => format!("it panicked: {}", panic_message(&*panic)),
        Err(error) => error.to_string(),
    }
}

/// The message of a panic, which is text unless a library panics with another value.
fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::supervision::ComponentRegistry;

    #[tokio::test]
    async fn a_component_that_fails_or_panics_is_restarted() {
        let registry = ComponentRegistry::default();
        let (_stop, stopping) = watch::channel(false);
        let runs = Arc::new(AtomicUsize::new(0));
        let start = || {
            let run = runs.fetch_add(1, Ordering::Relaxed);
            assert_ne!(run, 1, "before the future exists");
            async move {
                match run {
                    0 => Err("no luck"),
                    2 => panic!("on purpose {run}"),
                    _ => Ok(()),
                }
            }
        };
        supervise(registry.component("part"), stopping, start)
            .await
            .unwrap();
        let status = registry.status(Instant::now()).remove(0);
        assert_eq!(
            (status.restarts, status.problem.as_deref()),
            (3, Some("it panicked: on purpose 2"))
        );
    }

    #[tokio::test]
    async fn a_pause_ends_with_the_host() {
        let (stop, stopping) = watch::channel(false);
        let supervised = supervise(
            ComponentRegistry::default().component("part"),
            stopping,
            || async { Err("always") },
        );
        let supervised = tokio::spawn(supervised);
        stop.send(true).unwrap();
        // either between two starts, or as the reason of the last
        let _ = supervised.await.unwrap();
    }
}
