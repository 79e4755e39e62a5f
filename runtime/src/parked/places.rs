//! Where failures go.

use std::collections::BTreeMap;

use crate::model::sqs::name_of;
use crate::model::{Application, Destination, KafkaMapping};

/// A queue or topic that holds dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name of the queue or topic.
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
    },
    /// A topic that is the on-failure destination of a mapping.
    Topic {
        /// One of the mappings: how the cluster is reached.
        mapping: Box<KafkaMapping>,
        /// Topics of the mappings, without repetition.
        back_to: Vec<String>,
    },
}

impl Place {
    /// Whose failures go there, in words.
    pub fn from(&self) -> String {
        match &self.store {
            Store::Queue { queues, mappings } => {
                let topics = mappings.iter().flat_map(|mapping| mapping.topics.iter().map(|topic| format!("topic {topic}")));
                let names: Vec<String> = queues.iter().map(|queue| format!("queue {queue}")).chain(topics).collect();
                names.join(", ")
            }
            Store::Topic { back_to, .. } => format!("topic {}", back_to.join(", ")),
        }
    }
}

/// Every place of an application, by name.
pub fn places(app: &Application) -> Vec<Place> {
    type Sources = (Vec<String>, Vec<KafkaMapping>);
    let mut queues: BTreeMap<&str, Sources> = BTreeMap::new();
    let mut topics: BTreeMap<(&str, &str), (&KafkaMapping, Vec<String>)> = BTreeMap::new();
    for queue in &app.queues {
        if let Some(redrive) = &queue.redrive {
            queues.entry(redrive.target_name()).or_default().0.push(queue.name.clone());
        }
    }
    for mapping in &app.kafka {
        match &mapping.on_failure {
            Some(Destination::Sqs(arn)) => queues.entry(name_of(arn)).or_default().1.push(mapping.clone()),
            Some(Destination::KafkaTopic(topic)) => {
                let (_, back_to) = topics.entry((topic, &mapping.bootstrap_servers)).or_insert((mapping, Vec::new()));
                back_to.extend(mapping.topics.iter().filter(|topic| !back_to.contains(topic)).cloned().collect::<Vec<_>>());
            }
            None => {}
        }
    }
    let queues = queues
        .into_iter()
        .map(|(name, (queues, mappings))| Place { name: name.to_owned(), store: Store::Queue { queues, mappings } });
    let topics = topics.into_iter().map(|((name, _), (mapping, back_to))| Place {
        name: name.to_owned(),
        store: Store::Topic { mapping: Box::new(mapping.clone()), back_to },
    });
    queues.chain(topics).collect()
}
