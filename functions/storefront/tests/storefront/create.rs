//! Order-create as far as a storefront's tests need it: a consumer of the real topic whose records
//! become rows. It starts and stops.

use lambda_batch::Reason;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::{Message, Offset, TopicPartitionList};
use shared::store::Arrival;
use storefront::App;
use tokio::task::JoinHandle;

/// A running consumer. Ends when dropped.
pub(crate) struct Create(JoinHandle<()>);

impl Create {
    /// Reads both partitions from their beginnings, as a consumer group does that has committed
    /// nothing.
    pub(crate) fn start(app: &App) -> Self {
        let topic = app.settings.topic.clone();
        let store = app.store.clone();
        let consumer: StreamConsumer = ClientConfig::new()
            .set("bootstrap.servers", &app.settings.brokers)
            .set("group.id", format!("{topic}-test"))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .create()
            .expect("a consumer");
        let mut partitions = TopicPartitionList::new();
        for partition in 0..2 {
            partitions
                .add_partition_offset(&topic, partition, Offset::Beginning)
                .expect("an offset");
        }
        consumer.assign(&partitions).expect("assigned");
        Self(tokio::spawn(async move {
            loop {
                let record = consumer.recv().await.expect("Kafka runs");
                let value = record.payload();
                let message =
                    serde_json::from_slice(value.unwrap_or_default()).map_err(Reason::new);
                let arrival = Arrival {
                    topic: record.topic(),
                    partition: record.partition(),
                    offset: record.offset(),
                    appended_ms: record.timestamp().to_millis(),
                    key: record.key(),
                    value,
                    message,
                };
                let batch = store
                    .store_orders(std::slice::from_ref(&arrival), 1_000)
                    .await;
                assert_eq!(batch.unfinished, None);
            }
        }))
    }
}

impl Drop for Create {
    fn drop(&mut self) {
        self.0.abort();
    }
}
