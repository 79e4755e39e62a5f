//! Where Kafka mappings leave records that they gave up, and the way back.
//!
//! A failure record in a queue names offsets (`ranges`); the records are read from their topic
//! again and appended to it (`records`). A failure record in a topic (`topic`, `replay`) contains
//! the record (`document`); a consumer group remembers how far they were replayed (`progress`).

mod document;
mod progress;
mod ranges;
mod records;
mod replay;
mod topic;

use std::collections::BTreeMap;

use sam_template::model::sqs::name_of;
use sam_template::model::{Application, Destination, KafkaMapping};

use crate::parked::StoreList;
use ranges::FailedRecords;
use topic::TopicStore;

/// Adds the on-failure destinations of all Kafka mappings.
pub(super) fn add(app: &Application, stores: &mut StoreList) {
    let mut queues: BTreeMap<&str, FailedRecords> = BTreeMap::new();
    let mut topics: BTreeMap<(&str, &str), TopicStore> = BTreeMap::new();
    for mapping in &app.kafka {
        match &mapping.on_failure {
            Some(Destination::Sqs(arn)) => queues
                .entry(name_of(arn))
                .or_default()
                .mappings
                .push(mapping.clone()),
            Some(Destination::KafkaTopic(topic)) => topics
                .entry((topic, &mapping.bootstrap_servers))
                .or_insert_with(|| TopicStore::new(topic, mapping))
                .add(mapping),
            None => {}
        }
    }
    for (queue, failed) in queues {
        stores.add_origin(queue, failed);
    }
    for topic in topics.into_values() {
        stores.add(topic);
    }
}

/// The topics as messages name them.
fn topic_names(mappings: &[KafkaMapping]) -> Vec<String> {
    let topics = mappings.iter().flat_map(|mapping| &mapping.topics);
    topics.map(|topic| format!("topic {topic}")).collect()
}
