use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use testkit::eventually;

use super::*;
use crate::destinations::Body;

/// Brokers in this process, with one topic of one partition.
fn brokers() -> MockCluster<'static, DefaultProducerContext> {
    let brokers = MockCluster::new(1).unwrap();
    brokers.create_topic("topic", 1, 1).unwrap();
    brokers
}

fn cluster(brokers: &MockCluster<'_, DefaultProducerContext>) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers.bootstrap_servers());
    config
}

fn record(text: &str) -> FailureRecord {
    FailureRecord {
        bodies: vec![Body::complete(text.to_owned())],
        metadata: Metadata::None,
        position: "topic-0-1".to_owned(),
        records: 1,
    }
}

async fn send(topic: &DestinationTopic, records: &[FailureRecord]) -> KafkaResult<Vec<Sent>> {
    let open: Vec<_> = records
        .iter()
        .map(|record| (record, Form::COMPLETE))
        .collect();
    topic.send(&open).await
}

#[tokio::test]
async fn after_a_fatal_error_records_are_accepted_again() {
    let brokers = brokers();
    brokers.request_errors(
        RDKafkaApiKey::InitProducerId,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED],
    );
    let topic =
        DestinationTopic::open("topic", cluster(&brokers), ClientTokens::default()).unwrap();
    let records = [record("document")];
    assert!(send(&topic, &records).await.is_err());
    let sent = eventually("another producer sends the record", async || {
        send(&topic, &records).await.ok()
    })
    .await;
    assert_eq!(sent, [Sent::Accepted]);
}

#[tokio::test]
async fn records_wait_in_order_for_room_in_the_queue() {
    let brokers = brokers();
    let mut full = cluster(&brokers);
    full.set("queue.buffering.max.messages", "1");
    let topic = DestinationTopic::open("topic", full, ClientTokens::default()).unwrap();
    let texts = ["1", "2", "3"];
    let sent = send(&topic, &texts.map(record)).await.unwrap();
    assert_eq!(sent, [Sent::Accepted, Sent::Accepted, Sent::Accepted]);

    let consumer: BaseConsumer = cluster(&brokers)
        .set("group.id", "group")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&["topic"]).unwrap();
    let received: Vec<String> = consumer
        .iter()
        .take(texts.len())
        .map(|message| String::from_utf8_lossy(message.unwrap().payload().unwrap()).into_owned())
        .collect();
    assert_eq!(received, texts);
}
