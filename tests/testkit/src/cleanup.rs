//! Cleanup that runs however a test ends.

use std::panic::resume_unwind;

use tokio::task::LocalSet;

/// Runs a test and then its cleanup, even if the test panics; a panic is then resumed. The test
/// runs on the caller's thread: its future need not be `Send`.
pub fn with_cleanup(
    test: impl Future<Output = ()> + 'static,
    cleanup: impl Future<Output = ()>,
) -> impl Future<Output = ()> {
    let local = LocalSet::new();
    // Spawned here, so that the returned future does not contain the test's.
    let test = local.spawn_local(test);
    async move {
        let end = local.run_until(test).await;
        cleanup.await;
        if let Err(failure) = end {
            resume_unwind(failure.into_panic());
        }
    }
}
