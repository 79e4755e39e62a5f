//! What the event source mappings of Kafka and SQS have in common: their handle, and how the end of
//! an invocation becomes the result of its batch.

use event_sources::{BatchResult, ResponseError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::invocation::{Outcome, Rejected, Response};
use crate::supervision::{ComponentRegistry, supervise};
use crate::tuning::SourceSettings;

/// A running mapping.
#[derive(Debug)]
pub struct MappingHandle<V> {
    id: String,
    /// Reads its status. Outlives the handle.
    pub view: V,
    /// Sends changed settings to it.
    pub tune: watch::Sender<Option<SourceSettings>>,
    task: JoinHandle<Result<(), String>>,
}

impl<V> MappingHandle<V> {
    /// Starts a mapping as a component. `run` creates the future of each run; settings of an
    /// earlier run apply to the next one as well.
    pub(crate) fn start<F>(
        id: &str,
        parts: &ComponentRegistry,
        view: V,
        shutdown: watch::Receiver<bool>,
        mut run: impl FnMut(watch::Receiver<Option<SourceSettings>>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let (tune, tuned) = watch::channel(None);
        let part = parts.component(format!("mapping {id}"));
        // a copy has not seen any settings that were sent
        let run = move || run(tuned.clone());
        Self {
            id: id.to_owned(),
            view,
            tune,
            task: tokio::spawn(supervise(part, shutdown, run)),
        }
    }

    /// Waits until the mapping has drained.
    ///
    /// # Errors
    /// The mapping could not drain.
    pub async fn ended(self) -> Result<(), String> {
        self.task
            .await
            .unwrap_or_else(|error| Err(format!("mapping {}: {error}", self.id)))
    }
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
