//! Starts the event source mappings: Kafka's, and those of queues, which have to be there first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Options, StartError};
use crate::invocation::Invoker;
use crate::model::{Application, Function, Queue};
use crate::sqs::{self, Sqs};
use crate::{instances, kafka};

/// Bytes of records that all Kafka mappings together hold.
const BUFFER_BYTES: usize = 256 * 1024 * 1024;

/// What every mapping gets of its host.
pub(super) struct Host<'a> {
    pub(super) app: &'a Application,
    pub(super) options: &'a Options,
    pub(super) invoker: &'a Invoker,
    pub(super) stopping: &'a watch::Receiver<bool>,
}

impl Host<'_> {
    /// Invocations of a function at one time.
    fn concurrency(&self, function: &str) -> usize {
        let reserved = self
            .app
            .functions
            .get(function)
            .and_then(|function| function.concurrency);
        reserved.map_or(self.options.pool.default_concurrency, |limit| {
            limit as usize
        })
    }

    pub(super) fn start_kafka(&self) -> Result<Vec<kafka::Handle>, StartError> {
        let enabled: Vec<_> = self
            .app
            .kafka
            .iter()
            .filter(|mapping| mapping.enabled)
            .collect();
        let handles = enabled.iter().map(|mapping| {
            let limits = kafka::Limits {
                in_flight: self.concurrency(&mapping.function),
                buffer_bytes: BUFFER_BYTES / enabled.len().max(1),
                drain: self.options.pool.drain,
                host_id: self.options.state.host_id().to_owned(),
                aws_timing: self.options.aws_timing,
                sqs: Sqs::of(self.app),
                function_arn: self.app.functions.get(&mapping.function).map(instances::arn).unwrap_or_default(),
                parts: self.options.pool.parts.clone(),
                state: Some(self.options.state.path().to_owned()),
            };
            let handle = kafka::start((*mapping).clone(), &limits, self.invoker.clone(), self.stopping.clone()).map_err(StartError)?;
            tracing::info!(mapping = %mapping.id, "reads {} at {} as group {} for {}", mapping.topics.join(", "), mapping.bootstrap_servers, mapping.group, mapping.function);
            Ok(handle)
        });
        handles.collect()
    }

    pub(super) fn start_sqs(&self, ready: Option<Ready>) -> Vec<sqs::SqsHandle> {
        let Some(Ready {
            sqs,
            queues,
            visibility,
        }) = ready
        else {
            return Vec::new();
        };
        let enabled = self.app.sqs.iter().filter(|mapping| mapping.enabled);
        let handles = enabled.map(|mapping| {
            let limits = sqs::SqsLimits {
                concurrency: self.concurrency(&mapping.function),
                timeout: self.app.functions.get(&mapping.function).map_or(Duration::ZERO, |function| function.timeout),
                visibility: visibility.get(mapping.queue_name()).copied().unwrap_or_default(),
                drain: self.options.pool.drain,
                parts: self.options.pool.parts.clone(),
            };
            tracing::info!(mapping = %mapping.id, "reads {} at {} for {}", mapping.queue_name(), sqs.endpoint(), mapping.function);
            sqs::start(mapping.clone(), &limits, sqs.clone(), queues.clone(), self.invoker.clone(), self.stopping.clone())
        });
        handles.collect()
    }
}

/// Queues that are there, and what their mappings need to know of them.
pub(super) struct Ready {
    sqs: Sqs,
    queues: Arc<[Queue]>,
    visibility: BTreeMap<String, Duration>,
}

/// Makes the template's queues be there. `None`: the application has nothing to do with SQS.
pub(super) async fn ready(app: &Application) -> Result<Option<Ready>, StartError> {
    let enabled: Vec<_> = app.sqs.iter().filter(|mapping| mapping.enabled).collect();
    let Some(sqs) = Sqs::of(app).filter(|_| !app.queues.is_empty() || !enabled.is_empty()) else {
        return Ok(None);
    };
    let endpoint = sqs.endpoint().to_owned();
    sqs::ensure(&sqs, &app.queues).await.map_err(StartError)?;
    let mut visibility = BTreeMap::new();
    for mapping in enabled {
        let queue = mapping.queue_name();
        let hidden = sqs
            .visibility(queue)
            .await
            .map_err(|why| StartError(format!("queue {queue} at {endpoint}: {why}")))?;
        if let Some(function) = app
            .functions
            .get(&mapping.function)
            .filter(|function| hidden < function.timeout)
        {
            warn_of(queue, hidden, function);
        }
        visibility.insert(queue.to_owned(), hidden);
    }
    Ok(Some(Ready {
        sqs,
        queues: app.queues.clone().into(),
        visibility,
    }))
}

/// For queues that are not the template's, whose settings only the server knows. Lambda would refuse such a mapping.
fn warn_of(queue: &str, hidden: Duration, function: &Function) {
    tracing::warn!(
        "queue {queue} hides a message for {} s, less than the Timeout of {} ({} s), which may get it twice at once; Lambda refuses that. \
         Set its VisibilityTimeout to six times the Timeout",
        hidden.as_secs(),
        function.id,
        function.timeout.as_secs()
    );
}
