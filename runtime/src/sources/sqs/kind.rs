//! What an application has of SQS: queues and their mappings, their checks, and how they are opened.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sam_template::model::{Application, Queue, SqsMapping};
use serde_json::json;

use super::client::Sqs;
use super::{SqsEventSource, SqsLimits, batches, describe, queues};
use crate::doctor::Finding;
use crate::parked::StoreList;
use crate::sources::error::SourceError;
use crate::sources::host::SourceHost;
use crate::sources::kind::{OpenedSources, PlannedSource, SourceKind};
use crate::sources::source::EventSource;
use crate::sources::status::SourceSubject;
use crate::tuning::TunableSource;

/// Requests to a queue at one time.
const FILES: u64 = 8;

/// Mappings of queues.
#[derive(Debug)]
pub struct SqsSourceKind;

impl SourceKind for SqsSourceKind {
    fn name(&self) -> &'static str {
        "sqs"
    }

    fn section(&self) -> &'static str {
        "queues"
    }

    fn event_types(&self) -> &'static [&'static str] {
        &["SQS"]
    }

    fn planned(&self, app: &Application) -> Vec<PlannedSource> {
        app.sqs.iter().map(planned).collect()
    }

    /// Checks SQS once, if the application uses it, and the queues that the template does not
    /// create: also those that other sources have as destinations.
    fn probe<'a>(&'a self, app: &'a Application) -> BoxFuture<'a, Vec<Finding>> {
        async move {
            let Some(sqs) = Sqs::of(app).filter(|_| app.uses_sqs()) else {
                return Vec::new();
            };
            if app.embedded_queues.is_some() {
                let problems = queues::undeclared(app).into_iter();
                return problems.map(Finding::fail).collect();
            }
            let problems = match sqs.probe().await {
                Ok(()) => queues::missing(&sqs, app).await,
                Err(problem) => vec![problem.to_string()],
            };
            problems.into_iter().map(Finding::fail).collect()
        }
        .boxed()
    }

    fn dead_letters(&self, app: &Application, stores: &mut StoreList) {
        for queue in &app.queues {
            if let Some(redrive) = &queue.redrive {
                stores.add_redrive(&queue.name, redrive.target_name());
            }
        }
    }

    fn server(&self, app: &Application) -> Option<String> {
        let endpoint = app.sqs_endpoint.as_ref()?;
        Some(match app.embedded_queues {
            Some(_) => format!("SQS embedded in the host, at {endpoint}"),
            None => format!("SQS at {endpoint}"),
        })
    }

    fn describe(&self, app: &Application, out: &mut String) {
        for queue in &app.queues {
            describe::queue(out, queue);
        }
        for mapping in &app.sqs {
            describe::mapping(out, mapping);
        }
    }

    /// Creates the template's queues, also those that no mapping reads.
    fn open<'a>(&'a self, host: &'a SourceHost<'a>) -> BoxFuture<'a, OpenedSources> {
        open(host).boxed()
    }
}

fn enabled(app: &Application) -> impl Iterator<Item = &SqsMapping> {
    app.sqs.iter().filter(|mapping| mapping.enabled)
}

fn planned(mapping: &SqsMapping) -> PlannedSource {
    PlannedSource {
        id: mapping.id.clone(),
        function: mapping.function.clone(),
        subject: SourceSubject::Mapping,
        enabled: mapping.enabled,
        files: FILES,
        servers: Vec::new(),
        settings: Some(TunableSource {
            id: mapping.id.clone(),
            function: mapping.function.clone(),
            subject: json!({ "queue": { "fifo": mapping.fifo() } }),
            batch_size: mapping.batch_size,
            window: mapping.batching_window,
            service_window: Duration::ZERO,
            max_concurrency: mapping.max_concurrency,
            units: None,
            rule: batches::rule(mapping.fifo()),
        }),
    }
}

async fn open(host: &SourceHost<'_>) -> OpenedSources {
    let app = host.app;
    let unused = app.queues.is_empty() && enabled(app).next().is_none();
    let Some(sqs) = Sqs::of(app).filter(|_| !unused) else {
        return Ok(Vec::new());
    };
    queues::ensure(&sqs, &app.queues)
        .await
        .map_err(SourceError::not_prepared)?;
    let queues: Arc<[Queue]> = app.queues.clone().into();
    let mut opened: Vec<Arc<dyn EventSource>> = Vec::new();
    for mapping in enabled(app) {
        let queue = mapping.queue_name();
        let visibility = sqs.visibility(queue).await.map_err(|why| {
            let subject = format!("queue {queue} at {}", sqs.endpoint());
            SourceError::not_opened(subject, why)
        })?;
        let timeout = host.timeout(&mapping.function);
        if visibility < timeout {
            warn_of(queue, visibility, &mapping.function, timeout);
        }
        let limits = SqsLimits {
            concurrency: host.concurrency(&mapping.function),
            timeout,
            visibility,
            drain: host.drain,
        };
        tracing::info!(
            mapping = %mapping.id,
            "reads {queue} at {} for {}",
            sqs.endpoint(),
            mapping.function
        );
        opened.push(Arc::new(SqsEventSource::new(
            mapping.clone(),
            &limits,
            sqs.clone(),
            queues.clone(),
            host.invoker.clone(),
        )));
    }
    Ok(opened)
}

/// Warns of a queue outside of the template whose messages become visible before the function's
/// timeout. Lambda refuses such a mapping.
fn warn_of(queue: &str, visibility: Duration, function: &str, timeout: Duration) {
    tracing::warn!(
        "queue {queue} hides a message for {} s, less than the Timeout of {function} ({} s): the \
         function may receive it twice at the same time, and Lambda refuses that. Set its \
         VisibilityTimeout to six times the Timeout",
        visibility.as_secs(),
        timeout.as_secs()
    );
}
