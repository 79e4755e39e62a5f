//! Cleanup that runs however a test ends.

use std::panic::resume_unwind;

/// Runs a test and then its cleanup, even if the test panics; a panic is then resumed.
pub fn with_cleanup(
    test: impl Future<Output = ()> + Send + 'static,
    cleanup: impl Future<Output = ()>,
) -> impl Future<Output = ()> {
    // Spawned here, so that the returned future does not contain the test's.
    let test = tokio::spawn(test);
    async move {
        let end = test.await;
        cleanup.await;
        if let Err(failure) = end {
            resume_unwind(failure.into_panic());
        }
    }
}
