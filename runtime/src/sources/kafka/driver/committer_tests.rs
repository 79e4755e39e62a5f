//! Against brokers in this process.

use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, TopicPartitionList};
use sam_template::model::KafkaKind;

use super::*;
use crate::sources::kafka::consumer::MappingContext;
use crate::sources::kafka::discards::tests::mapping;
use crate::sources::kafka::known_topics::KnownTopics;
use crate::sources::kafka::status::MappingProgress;

const TOPIC: &str = "topic";
const PATIENCE: Duration = Duration::from_secs(10);
const PARTITION: Partition = Partition {
    topic: 0,
    number: 0,
};

fn brokers() -> MockCluster<'static, DefaultProducerContext> {
    let brokers = MockCluster::new(1).unwrap();
    brokers.create_topic(TOPIC, 1, 1).unwrap();
    brokers
}

/// A consumer that has committed offset 1.
fn consumer(brokers: &MockCluster<'_, DefaultProducerContext>) -> Arc<MappingConsumer> {
    let mut mapping = mapping(KafkaKind::SelfManaged);
    mapping.topics = vec![TOPIC.to_owned()];
    let known = KnownTopics::open(None, &mapping.id, &mapping.group).unwrap();
    let progress = Arc::new(MappingProgress::new(&mapping));
    let (events, _) = mpsc::channel(1);
    let context = MappingContext::new(mapping, events, progress, Arc::new(known));
    let consumer: MappingConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers.bootstrap_servers())
        .set("group.id", "group")
        .create_with_context(context)
        .unwrap();
    commit(&consumer, &[TOPIC.to_owned()], &[(PARTITION, 1)]).unwrap();
    consumer.into()
}

fn committed(consumer: &MappingConsumer) -> rdkafka::Offset {
    let mut list = TopicPartitionList::new();
    list.add_partition(TOPIC, PARTITION.number);
    let committed = consumer.committed_offsets(list, PATIENCE).unwrap();
    committed.elements()[0].offset()
}

/// The coordinator does not answer the next commit with success, but the one after.
fn refuse_once(brokers: &MockCluster<'_, DefaultProducerContext>) {
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
    brokers.request_errors(RDKafkaApiKey::OffsetCommit, &[error]);
}

/// Why commits are sent one by one.
#[test]
fn librdkafka_stores_a_repeated_commit_after_a_later_one() {
    let brokers = brokers();
    let consumer = consumer(&brokers);
    refuse_once(&brokers);
    for offset in [4, 6] {
        let mut list = TopicPartitionList::new();
        let offset = rdkafka::Offset::Offset(offset);
        list.add_partition_offset(TOPIC, PARTITION.number, offset)
            .unwrap();
        consumer.commit(&list, CommitMode::Async).unwrap();
    }
    let begun = Instant::now();
    while committed(&consumer) != rdkafka::Offset::Offset(4) {
        assert!(begun.elapsed() < PATIENCE, "{:?}", committed(&consumer));
    }
}

#[tokio::test]
async fn a_repeated_commit_is_stored_before_the_next() {
    let brokers = brokers();
    let consumer = consumer(&brokers);
    refuse_once(&brokers);
    let mut committer = Committer::start("mapping", vec![TOPIC.to_owned()], &consumer).unwrap();
    for offset in [4, 6] {
        committer.send(vec![(PARTITION, offset)], CommitReason::Progress);
    }
    for offset in [4, 6] {
        assert!(committer.is_busy());
        let answered = committer.answered().await.unwrap();
        assert_eq!(answered.request.offsets, [(PARTITION, offset)]);
        assert_eq!(answered.result, Ok(()));
    }
    assert!(!committer.is_busy());
    assert_eq!(committed(&consumer), rdkafka::Offset::Offset(6));
}
