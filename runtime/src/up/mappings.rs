//! Starts the event source mappings of Kafka topics and of queues, which are created first.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::components::ComponentSet;
use super::error::StartError;
use super::options::HostOptions;
use crate::instances;
use crate::invocation::Invoker;
use crate::sources::kafka;
use crate::sources::sqs::{self, Sqs};
use crate::tuning::SourceSettings;
use sam_template::model::{Application, Function, KafkaMapping, Queue, SqsMapping};

/// Bytes of records that all Kafka mappings together buffer.
const BUFFER_BYTES: usize = 256 * 1024 * 1024;

/// Starts mappings with what they need of the host.
pub(super) struct MappingStarter<'a> {
    pub(super) app: &'a Application,
    pub(super) options: &'a HostOptions,
    pub(super) invoker: &'a Invoker,
    pub(super) stopping: &'a watch::Receiver<bool>,
}

impl MappingStarter<'_> {
    /// Invocations of a function at one time at most.
    fn concurrency(&self, function: &str) -> usize {
        let function = self.app.functions.get(function);
        let default = self.options.pool.default_concurrency;
        function.map_or(default, |function| function.max_invocations(default))
    }

    /// Starts every enabled mapping.
    pub(super) fn start(
        &self,
        components: ComponentSet,
        queues: Option<ReadyQueues>,
    ) -> Result<Mappings, StartError> {
        let mut mappings = Mappings {
            components,
            kafka: Vec::new(),
            sqs: Vec::new(),
            tuners: BTreeMap::new(),
        };
        let enabled = self.app.kafka.iter().filter(|mapping| mapping.enabled);
        let count = enabled.clone().count().max(1);
        for mapping in enabled {
            let handle = self.start_kafka(mapping, BUFFER_BYTES / count)?;
            mappings.kafka.push(handle.view.clone());
            mappings.add(&mapping.id, handle.tune.clone(), handle.ended());
        }
        let Some(ready) = queues else {
            return Ok(mappings);
        };
        for mapping in self.app.sqs.iter().filter(|mapping| mapping.enabled) {
            let handle = self.start_sqs(mapping, &ready);
            mappings.sqs.push(handle.view.clone());
            mappings.add(&mapping.id, handle.tune.clone(), handle.ended());
        }
        Ok(mappings)
    }

    fn start_kafka(
        &self,
        mapping: &KafkaMapping,
        buffer_bytes: usize,
    ) -> Result<kafka::KafkaHandle, StartError> {
        let function = self.app.functions.get(&mapping.function);
        let limits = kafka::KafkaLimits {
            in_flight: self.concurrency(&mapping.function),
            buffer_bytes,
            drain: self.options.pool.drain,
            host_id: self.options.state.host_id().to_owned(),
            aws_timing: self.options.aws_timing,
            sqs: Sqs::of(self.app),
            function_arn: function.map(instances::arn).unwrap_or_default(),
            parts: self.options.pool.parts.clone(),
            state: Some(self.options.state.path().to_owned()),
        };
        let handle = kafka::start(
            mapping.clone(),
            &limits,
            self.invoker.clone(),
            self.stopping.clone(),
        )
        .map_err(StartError)?;
        tracing::info!(
            mapping = %mapping.id,
            "reads {} at {} as group {} for {}",
            mapping.topics.join(", "),
            mapping.bootstrap_servers,
            mapping.group,
            mapping.function
        );
        Ok(handle)
    }

    fn start_sqs(&self, mapping: &SqsMapping, ready: &ReadyQueues) -> sqs::SqsHandle {
        let queue = mapping.queue_name();
        let function = self.app.functions.get(&mapping.function);
        let limits = sqs::SqsLimits {
            concurrency: self.concurrency(&mapping.function),
            timeout: function.map_or(Duration::ZERO, |function| function.timeout),
            visibility: ready.visibility.get(queue).copied().unwrap_or_default(),
            drain: self.options.pool.drain,
            parts: self.options.pool.parts.clone(),
        };
        tracing::info!(
            mapping = %mapping.id,
            "reads {queue} at {} for {}",
            ready.sqs.endpoint(),
            mapping.function
        );
        sqs::start(
            mapping.clone(),
            &limits,
            ready.sqs.clone(),
            ready.queues.clone(),
            self.invoker.clone(),
            self.stopping.clone(),
        )
    }
}

/// The mappings that run.
#[derive(Debug)]
pub(super) struct Mappings {
    pub(super) components: ComponentSet,
    pub(super) kafka: Vec<kafka::KafkaView>,
    pub(super) sqs: Vec<sqs::SqsView>,
    /// Senders of changed settings, by mapping.
    pub(super) tuners: BTreeMap<String, watch::Sender<Option<SourceSettings>>>,
}

impl Mappings {
    fn add(
        &mut self,
        id: &str,
        tuner: watch::Sender<Option<SourceSettings>>,
        ended: impl Future<Output = Result<(), String>> + Send + 'static,
    ) {
        self.tuners.insert(id.to_owned(), tuner);
        self.components.start(format!("mapping {id}"), ended);
    }
}

/// Queues that exist, and what their mappings need of them.
pub(super) struct ReadyQueues {
    sqs: Sqs,
    queues: Arc<[Queue]>,
    visibility: BTreeMap<String, Duration>,
}

/// Creates the template's queues. `None`: the application does not use SQS.
pub(super) async fn ready(app: &Application) -> Result<Option<ReadyQueues>, StartError> {
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
        let function = app.functions.get(&mapping.function);
        if let Some(function) = function.filter(|function| hidden < function.timeout) {
            warn_of(queue, hidden, function);
        }
        visibility.insert(queue.to_owned(), hidden);
    }
    Ok(Some(ReadyQueues {
        sqs,
        queues: app.queues.clone().into(),
        visibility,
    }))
}

/// Warns of a queue outside of the template whose messages become visible before the function's
/// timeout. Lambda refuses such a mapping.
fn warn_of(queue: &str, hidden: Duration, function: &Function) {
    tracing::warn!(
        "queue {queue} hides a message for {} s, less than the Timeout of {} ({} s): the function \
         may receive it twice at the same time, and Lambda refuses that. Set its \
         VisibilityTimeout to six times the Timeout",
        hidden.as_secs(),
        function.id,
        function.timeout.as_secs()
    );
}
