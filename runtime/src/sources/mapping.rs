//! What the mappings of streams and queues have in common: how the end of an invocation becomes the
//! result of its batch, the wait for a function that is busy, and how filters are printed.

use std::fmt::Write as _;

use event_sources::filter::Filters;
use event_sources::{BatchResult, ResponseError};

use crate::invocation::{Invoker, Outcome, Rejected, Response};

/// Adds the filters of a mapping, a line each, as `usher template` prints them.
pub(crate) fn describe_filters(out: &mut String, filters: Option<&Filters>) {
    for pattern in filters.map(Filters::sources).unwrap_or_default() {
        let _ = writeln!(out, "  filter {pattern}");
    }
}

/// Waits until the function can begin soon. `report` receives the reason of a wait, with `effect`,
/// such as "no message is received"; and first `None`, since an earlier wait may have ended with a
/// pause.
pub(crate) async fn function_ready(
    invoker: &Invoker,
    function: &str,
    effect: &str,
    report: impl Fn(Option<String>),
) {
    report(None);
    let mut free = std::pin::pin!(invoker.ready(function));
    tokio::select! {
        biased;
        () = &mut free => return,
        () = std::future::ready(()) => {}
    }
    report(Some(format!(
        "every instance of {function} is busy with other events, so {effect}. Raise its \
         concurrency limit, or repair what does not end"
    )));
    free.await;
    report(None);
}

/// The result of the batch, and why its partial batch response is malformed, if it is.
///
/// `partial`: the mapping has `ReportBatchItemFailures`, and `failed` reads an answer.
pub(crate) fn batch_result<T>(
    result: &Result<Response, Rejected>,
    partial: bool,
    failed: impl FnOnce(&[u8]) -> Result<Vec<T>, ResponseError>,
) -> (BatchResult<T>, Option<ResponseError>) {
    let outcome = match result {
        Ok(response) => &response.outcome,
        Err(Rejected::NotFound(_) | Rejected::TooLarge(_)) => return (BatchResult::Failed, None),
        Err(Rejected::Throttled(_) | Rejected::NoCapacity { .. } | Rejected::ShuttingDown) => {
            return (BatchResult::NotInvoked, None);
        }
    };
    match outcome {
        Outcome::Answer(answer) if partial => match failed(answer) {
            Ok(failed) => (BatchResult::Answered(failed), None),
            Err(why) => (BatchResult::Failed, Some(why)),
        },
        Outcome::Answer(_) => (BatchResult::Answered(Vec::new()), None),
        Outcome::Interrupted(_) => (BatchResult::NotInvoked, None),
        Outcome::Error(_) => (BatchResult::Failed, None),
    }
}
