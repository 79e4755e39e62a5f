//! The queues, topics and streams that hold dead letters.

use std::collections::BTreeMap;

use sam_template::model::sqs::name_of;
use sam_template::model::{Application, Destination, EventTarget, KafkaMapping};

use super::streams;
use crate::instances::arn;

/// A queue, topic or stream that holds dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterStore {
    /// Its name.
    pub name: String,
    /// Queue, topic or stream, with the sources whose dead letters it holds.
    pub kind: StoreKind,
}

/// The kind of a store, with what a replay needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreKind {
    /// A queue.
    Queue(QueueSources),
    /// A topic that is the on-failure destination of a mapping.
    Topic {
        /// One of the mappings: it has the addresses and credentials of the cluster.
        mapping: Box<KafkaMapping>,
        /// Source topics of the mappings, without duplicates.
        back_to: Vec<String>,
    },
    /// A stream that holds the entries that the consumer groups of another stream parked.
    Stream {
        /// URL of its Redis.
        url: String,
    },
}

/// The sources whose dead letters a queue receives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueSources {
    /// Queues whose redrive policy targets it.
    pub queues: Vec<String>,
    /// Kafka mappings whose on-failure destination it is.
    pub mappings: Vec<KafkaMapping>,
    /// Functions whose discarded asynchronous events it receives.
    pub functions: Vec<EventOrigin>,
}

/// A function whose discarded asynchronous events a queue receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventOrigin {
    /// Logical id.
    pub function: String,
    /// As failure records contain it.
    pub arn: String,
}

impl DeadLetterStore {
    /// The functions whose discarded events it receives.
    pub fn functions(&self) -> &[EventOrigin] {
        match &self.kind {
            StoreKind::Queue(sources) => &sources.functions,
            StoreKind::Topic { .. } | StoreKind::Stream { .. } => &[],
        }
    }

    /// The sources whose dead letters it holds, as text.
    pub fn from(&self) -> String {
        match &self.kind {
            StoreKind::Stream { .. } => format!("stream {}", streams::source(&self.name)),
            StoreKind::Queue(sources) => {
                let queues = sources.queues.iter().map(|name| format!("queue {name}"));
                let topics = sources.mappings.iter().flat_map(|mapping| &mapping.topics);
                let topics = topics.map(|topic| format!("topic {topic}"));
                let events = sources.functions.iter();
                let events = events.map(|origin| format!("events of {}", origin.function));
                queues
                    .chain(topics)
                    .chain(events)
                    .collect::<Vec<_>>()
                    .join(", ")
            }
            StoreKind::Topic { back_to, .. } => format!("topic {}", back_to.join(", ")),
        }
    }
}

/// The queues and topics that the template names as redrive targets, on-failure destinations or
/// dead-letter queues of asynchronous events.
pub fn stores(app: &Application) -> Vec<DeadLetterStore> {
    let mut queues: BTreeMap<&str, QueueSources> = BTreeMap::new();
    let mut topics: BTreeMap<(&str, &str), (&KafkaMapping, Vec<String>)> = BTreeMap::new();
    for queue in &app.queues {
        if let Some(redrive) = &queue.redrive {
            let sources = queues.entry(redrive.target_name()).or_default();
            sources.queues.push(queue.name.clone());
        }
    }
    for mapping in &app.kafka {
        match &mapping.on_failure {
            Some(Destination::Sqs(arn)) => {
                let sources = queues.entry(name_of(arn)).or_default();
                sources.mappings.push(mapping.clone());
            }
            Some(Destination::KafkaTopic(topic)) => {
                let (_, back_to) = topics
                    .entry((topic, &mapping.bootstrap_servers))
                    .or_insert((mapping, Vec::new()));
                for topic in &mapping.topics {
                    if !back_to.contains(topic) {
                        back_to.push(topic.clone());
                    }
                }
            }
            None => {}
        }
    }
    for (id, config) in &app.event_invoke {
        let Some(function) = app.functions.get(id) else {
            continue;
        };
        let discarded_to = config.on_failure.iter().filter_map(|target| match target {
            EventTarget::Queue(arn) => Some(arn),
            EventTarget::Function(_) => None,
        });
        for queue in discarded_to.chain(&config.dead_letters) {
            let origins = &mut queues.entry(name_of(queue)).or_default().functions;
            if !origins.iter().any(|known| known.function == *id) {
                origins.push(EventOrigin {
                    function: id.clone(),
                    arn: arn(function),
                });
            }
        }
    }
    let queues = queues.into_iter().map(|(name, sources)| DeadLetterStore {
        name: name.to_owned(),
        kind: StoreKind::Queue(sources),
    });
    let topics = topics
        .into_iter()
        .map(|((name, _), (mapping, back_to))| DeadLetterStore {
            name: name.to_owned(),
            kind: StoreKind::Topic {
                mapping: Box::new(mapping.clone()),
                back_to,
            },
        });
    queues.chain(topics).collect()
}
