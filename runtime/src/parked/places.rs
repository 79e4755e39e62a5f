//! Where failures go.

use std::collections::BTreeMap;

use super::streams;
use crate::instances::arn;
use crate::model::sqs::name_of;
use crate::model::{Application, Destination, EventTarget, KafkaMapping};

/// A queue, topic or stream that holds dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// What it is, and whose failures it takes.
    pub store: Store,
}

/// What a place is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// A queue.
    Queue {
        /// Queues whose redrive policy names it.
        queues: Vec<String>,
        /// Kafka mappings whose on-failure destination it is.
        mappings: Vec<KafkaMapping>,
        /// Functions whose asynchronous events go there when they are given up.
        functions: Vec<Origin>,
    },
    /// A topic that is the on-failure destination of a mapping.
    Topic {
        /// One of the mappings: how the cluster is reached.
        mapping: Box<KafkaMapping>,
        /// Topics of the mappings, without repetition.
        back_to: Vec<String>,
    },
    /// A stream that holds what the groups of another set aside.
    Stream {
        /// Where its Redis answers.
        url: String,
    },
}

/// A function whose asynchronous events are given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Logical id.
    pub function: String,
    /// As the records of destinations name it.
    pub arn: String,
}

impl Place {
    /// The functions whose given-up events go there.
    pub fn functions(&self) -> &[Origin] {
        match &self.store {
            Store::Queue { functions, .. } => functions,
            Store::Topic { .. } | Store::Stream { .. } => &[],
        }
    }

    /// Whose failures go there, in words.
    pub fn from(&self) -> String {
        match &self.store {
            Store::Stream { .. } => format!("stream {}", streams::source(&self.name)),
            Store::Queue {
                queues,
                mappings,
                functions,
            } => {
                let events = functions
                    .iter()
                    .map(|origin| format!("events of {}", origin.function));
                let topics = mappings.iter().flat_map(|mapping| {
                    mapping.topics.iter().map(|topic| format!("topic {topic}"))
                });
                let names: Vec<String> = queues
                    .iter()
                    .map(|queue| format!("queue {queue}"))
                    .chain(topics)
                    .chain(events)
                    .collect();
                names.join(", ")
            }
            Store::Topic { back_to, .. } => format!("topic {}", back_to.join(", ")),
        }
    }
}

/// Every place that the template names, by name.
pub fn places(app: &Application) -> Vec<Place> {
    #[derive(Default)]
    struct Sources(Vec<String>, Vec<KafkaMapping>, Vec<Origin>);
    let mut queues: BTreeMap<&str, Sources> = BTreeMap::new();
    let mut topics: BTreeMap<(&str, &str), (&KafkaMapping, Vec<String>)> = BTreeMap::new();
    for queue in &app.queues {
        if let Some(redrive) = &queue.redrive {
            queues
                .entry(redrive.target_name())
                .or_default()
                .0
                .push(queue.name.clone());
        }
    }
    for mapping in &app.kafka {
        match &mapping.on_failure {
            Some(Destination::Sqs(arn)) => queues
                .entry(name_of(arn))
                .or_default()
                .1
                .push(mapping.clone()),
            Some(Destination::KafkaTopic(topic)) => {
                let (_, back_to) = topics
                    .entry((topic, &mapping.bootstrap_servers))
                    .or_insert((mapping, Vec::new()));
                back_to.extend(
                    mapping
                        .topics
                        .iter()
                        .filter(|topic| !back_to.contains(topic))
                        .cloned()
                        .collect::<Vec<_>>(),
                );
            }
            None => {}
        }
    }
    for (id, config) in &app.event_invoke {
        let Some(function) = app.functions.get(id) else {
            continue;
        };
        let given_up = config.on_failure.iter().filter_map(|target| match target {
            EventTarget::Queue(arn) => Some(arn),
            EventTarget::Function(_) => None,
        });
        for queue in given_up.chain(&config.dead_letters) {
            let origins = &mut queues.entry(name_of(queue)).or_default().2;
            if !origins.iter().any(|known| known.function == *id) {
                origins.push(Origin {
                    function: id.clone(),
                    arn: arn(function),
                });
            }
        }
    }
    let queues = queues
        .into_iter()
        .map(|(name, Sources(queues, mappings, functions))| Place {
            name: name.to_owned(),
            store: Store::Queue {
                queues,
                mappings,
                functions,
            },
        });
    let topics = topics
        .into_iter()
        .map(|((name, _), (mapping, back_to))| Place {
            name: name.to_owned(),
            store: Store::Topic {
                mapping: Box::new(mapping.clone()),
                back_to,
            },
        });
    queues.chain(topics).collect()
}
