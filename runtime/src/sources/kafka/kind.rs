//! What an application has of Kafka: its mappings, their checks, and how they are opened.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sam_template::model::{Application, KafkaMapping};
use sam_template::project::local_servers;

use super::settings::SERVICE_WINDOW;
use super::{KafkaEventSource, KafkaLimits, checks, dead_letters, describe};
use crate::doctor::Finding;
use crate::parked::StoreList;
use crate::sources::error::SourceError;
use crate::sources::host::SourceHost;
use crate::sources::kind::{OpenedSources, PlannedSource, SourceKind};
use crate::sources::source::EventSource;
use crate::sources::sqs::Sqs;
use crate::sources::status::SourceSubject;
use crate::tuning::{BatchSettings, TunableSource};

/// Bytes of records that all mappings together buffer.
const BUFFER_BYTES: usize = 256 * 1024 * 1024;

/// Connections of consumer and producer to brokers, and pipes between threads.
const FILES: u64 = 24;

/// Mappings of Kafka topics.
#[derive(Debug)]
pub struct KafkaSourceKind;

impl SourceKind for KafkaSourceKind {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn section(&self) -> &'static str {
        "mappings"
    }

    fn event_types(&self) -> &'static [&'static str] {
        &["MSK", "SelfManagedKafka"]
    }

    fn planned(&self, app: &Application) -> Vec<PlannedSource> {
        app.kafka.iter().map(planned).collect()
    }

    fn contradictions(&self, app: &Application) -> Vec<String> {
        let mut groups = BTreeSet::new();
        let mut problems = Vec::new();
        for mapping in enabled(app) {
            for topic in &mapping.topics {
                if !groups.insert((&mapping.group, topic)) {
                    problems.push(format!(
                        "mapping {}: another mapping reads topic {topic} as group {}; give each a \
                         ConsumerGroupId of its own",
                        mapping.id, mapping.group
                    ));
                }
            }
        }
        problems
    }

    fn probe<'a>(&'a self, app: &'a Application) -> BoxFuture<'a, Vec<Finding>> {
        checks::findings(app).boxed()
    }

    fn dead_letters(&self, app: &Application, stores: &mut StoreList) {
        dead_letters::add(app, stores);
    }

    fn describe(&self, app: &Application, out: &mut String) {
        for mapping in &app.kafka {
            describe::mapping(out, mapping);
        }
    }

    fn open<'a>(&'a self, host: &'a SourceHost<'a>) -> BoxFuture<'a, OpenedSources> {
        async move {
            let count = enabled(host.app).count().max(1);
            enabled(host.app)
                .map(|mapping| open(host, mapping, BUFFER_BYTES / count))
                .collect()
        }
        .boxed()
    }
}

pub(super) fn enabled(app: &Application) -> impl Iterator<Item = &KafkaMapping> {
    app.kafka.iter().filter(|mapping| mapping.enabled)
}

fn planned(mapping: &KafkaMapping) -> PlannedSource {
    PlannedSource {
        id: mapping.id.clone(),
        function: mapping.function.clone(),
        subject: SourceSubject::Mapping,
        enabled: mapping.enabled,
        files: FILES,
        servers: local_servers(&mapping.bootstrap_servers),
        settings: Some(TunableSource {
            id: mapping.id.clone(),
            function: mapping.function.clone(),
            subject: "kafka".into(),
            batch_size: mapping.batch_size,
            window: mapping.batching_window,
            service_window: SERVICE_WINDOW,
            max_concurrency: None,
            units: Some(mapping.topics.clone()),
            rule: BatchSettings::independent,
        }),
    }
}

fn open(
    host: &SourceHost<'_>,
    mapping: &KafkaMapping,
    buffer_bytes: usize,
) -> Result<Arc<dyn EventSource>, SourceError> {
    let limits = KafkaLimits {
        in_flight: host.concurrency(&mapping.function),
        buffer_bytes,
        drain: host.drain,
        host_id: host.host_id.to_owned(),
        aws_timing: host.aws_timing,
        sqs: Sqs::of(host.app),
        function_arn: host.arn(&mapping.function),
        parts: host.parts.clone(),
        state: Some(host.state.to_owned()),
    };
    let source = KafkaEventSource::open(mapping.clone(), &limits, host.invoker.clone())?;
    tracing::info!(
        mapping = %mapping.id,
        "reads {} at {} as group {} for {}",
        mapping.topics.join(", "),
        mapping.bootstrap_servers,
        mapping.group,
        mapping.function
    );
    Ok(Arc::new(source))
}
