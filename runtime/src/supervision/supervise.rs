//! Runs a part, and starts it again when it ends.

use std::any::Any;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::backoff::Backoff;
use super::registry::Part;
use crate::waiting::turned;

/// A part that is to panic on purpose does so after this time: it is at work by then.
const BEFORE_THE_PANIC: Duration = Duration::from_secs(1);

/// Runs a part until it has nothing more to do, or has drained after `stopping` turned true (or its sender went). `start` makes the part's
/// future for each start. One that returns an error, or panics, is started again after a pause. Dropping this future ends the part.
///
/// # Errors
/// Why the part did not drain: nothing starts it again by then.
pub(crate) async fn supervise<S, F>(
    part: Part,
    mut stopping: watch::Receiver<bool>,
    mut start: S,
) -> Result<(), String>
where
    S: FnMut() -> F,
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let mut backoff = Backoff::default();
    // of one task: dropping it aborts the task
    let mut task = JoinSet::new();
    loop {
        let begun = Instant::now();
        part.started(begun);
        task.spawn(with_fault(part.clone(), start()));
        let ended = task.join_next().await.unwrap_or(Ok(Ok(())));
        let why = match ended {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => why,
            Err(error) => panic_text(error),
        };
        part.ended(&why);
        if *stopping.borrow() || stopping.has_changed().is_err() {
            return Err(format!("{}: {why}", part.name()));
        }
        let pause = backoff.pause(begun.elapsed());
        tracing::error!(
            alarm = "component_ended",
            part = part.name(),
            "{} ended: {why}. It starts again in {} ms; everything else goes on",
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

/// The future itself, or a panic in it where the part is to panic on purpose.
pub(crate) async fn with_fault<T>(part: Part, run: impl Future<Output = T>) -> T {
    if !part.is_to_panic() {
        return run.await;
    }
    tokio::select! {
        ended = run => ended,
        () = tokio::time::sleep(BEFORE_THE_PANIC) => panic!("on purpose: --panic {:?}", part.name()),
    }
}

/// What a task that broke off said.
pub(crate) fn panic_text(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => format!("it panicked: {}", said(&*panic)),
        Err(error) => error.to_string(),
    }
}

/// The message of a panic, which is a text unless a library made something else of it.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::supervision::Registry;

    #[tokio::test]
    async fn a_part_that_fails_or_panics_runs_again() {
        let registry = Registry::default();
        let (_stop, stopping) = watch::channel(false);
        let runs = Arc::new(AtomicUsize::new(0));
        let start = || {
            let run = runs.fetch_add(1, Ordering::Relaxed);
            async move {
                match run {
                    0 => Err("no luck".to_owned()),
                    1 => panic!("on purpose {run}"),
                    _ => Ok(()),
                }
            }
        };
        supervise(registry.part("part"), stopping, start)
            .await
            .unwrap();
        let status = registry.status(Instant::now()).remove(0);
        assert_eq!(
            (status.restarts, status.problem.as_deref()),
            (2, Some("it panicked: on purpose 1"))
        );
    }

    #[tokio::test]
    async fn a_pause_ends_with_the_host() {
        let (stop, stopping) = watch::channel(false);
        let supervised = supervise(Registry::default().part("part"), stopping, || async {
            Err("always".to_owned())
        });
        let supervised = tokio::spawn(supervised);
        stop.send(true).unwrap();
        // either between two starts, or as the reason of the last
        let _ = supervised.await.unwrap();
    }
}
