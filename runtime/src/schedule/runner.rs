//! One asynchronous invocation: tried again when the function fails, waiting when there is no room.
//!
//! Retries are kept in memory only: a host that ends forgets them, and says so.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

use crate::invocation::{Invoker, Outcome, Rejected, Request};

/// Waits before the second and the third try. Lambda waits one and two minutes.
const RETRIES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

/// Invokes until it succeeds, the tries are used up, or the host drains.
pub(super) async fn invoke(
    schedule: &str,
    function: &str,
    payload: Bytes,
    invoker: &Invoker,
    shutdown: &mut watch::Receiver<bool>,
) {
    let mut waits = RETRIES.iter();
    loop {
        let request = Request::new(function, payload.clone());
        // Waiting for an instance is what an asynchronous queue does.
        let error = match invoker.invoke(request, true).await {
            Ok(response) => match response.outcome {
                Outcome::Answer(_) => return,
                Outcome::Error(error) => format!("{}: {}", error.error_type, error.message),
            },
            Err(Rejected::ShuttingDown) => return tracing::info!(schedule, "not run: the host is draining"),
            // Throttled though it waits: the limit is 0, and as in Lambda such an event is given up at once.
            Err(rejected @ (Rejected::NotFound(_) | Rejected::TooLarge(_) | Rejected::Throttled(_))) => {
                return tracing::error!(schedule, %rejected, "cannot run");
            }
        };
        let Some(wait) = waits.next() else {
            return tracing::error!(schedule, function, error, "failed three times; the event is dropped");
        };
        tracing::warn!(schedule, function, error, retry_in_s = wait.as_secs(), "failed");
        tokio::select! {
            () = tokio::time::sleep(*wait) => {}
            _ = shutdown.wait_for(|stop| *stop) => {
                return tracing::warn!(schedule, function, "not tried again: the host is draining");
            }
        }
    }
}
