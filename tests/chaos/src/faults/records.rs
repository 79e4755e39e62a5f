//! Records of the topic of orders: no orders, again, deleted.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message as _, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::util::Timeout;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde::Deserialize;
use serde_json::json;
use sqlx::{Row, raw_sql};
use ticket_rush::prepare::orders_topic;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use super::Target;

/// Records of the last seconds that are delivered again.
const AGAIN: SignedDuration = SignedDuration::from_secs(15);
/// How long a request to the broker may take. It is repeated until then.
pub(super) const BROKER: Duration = Duration::from_mins(1);

/// Time limit of one poll.
const POLL: Duration = Duration::from_millis(500);
/// Key of records that are no orders.
const POISON_KEY: &str = "chaos";
/// Values of records that are no orders: no JSON, wrong types, NUL in a text.
const POISON: [&[u8]; 3] = [
    b"hello",
    br#"{"v":"one","order":7,"nonce":[],"user":{},"program":true}"#,
    br#"{"v":1,"order":"123456789","nonce":"00000000000000000000000000000000","user":"a\u0000b"}"#,
];

/// What order-create has stored of its topic.
const PROGRESS: &str =
    "SELECT partition, next_offset FROM chaos.progress WHERE topic = 'chaos-order-create'";

/// The message of an order, as far as it names it.
#[derive(Deserialize)]
struct Order {
    order: String,
}

impl Target {
    pub(super) async fn redeliver(&self) -> Result<String> {
        let from = Timestamp::now() - AGAIN;
        let from = Timestamp::from_second(from.as_second())?.to_string();
        let mut moved = 0;
        for host in &self.hosts {
            moved += host.read_orders_again(&from).await?;
        }
        ensure!(moved > 0, "no host owns a partition");
        Ok(format!("{moved} partitions from {from}"))
    }

    pub(super) async fn poison(&self) -> Result<String> {
        let producer: FutureProducer = self.kafka().set("enable.idempotence", "true").create()?;
        for value in POISON {
            self.send(&producer, Some(value)).await?;
        }
        self.send(&producer, None).await?;
        Ok(format!("{} records", POISON.len() + 1))
    }

    pub(super) async fn transaction(&self) -> Result<String> {
        let producer: FutureProducer = self.kafka().set("transactional.id", "chaos").create()?;
        block_in_place(|| producer.init_transactions(Timeout::After(BROKER)))?;
        producer.begin_transaction()?;
        self.send(&producer, Some(POISON[0])).await?;
        block_in_place(|| producer.commit_transaction(Timeout::After(BROKER)))?;
        Ok("one record and the marker of its transaction".to_owned())
    }

    /// Deletes what order-create has not read, and writes the orders of these records into the client
    /// log: the audit accepts that they are void. The hosts are killed meanwhile, since they have
    /// fetched records ahead.
    pub(super) async fn delete_records(&self, lasts: Duration) -> Result<String> {
        for host in &self.hosts {
            host.command(&["pause", "OrderCreateOrders"]).await?;
        }
        sleep(lasts).await;
        for host in &self.hosts {
            host.kill().await?;
        }
        let deleted = self.delete_unread().await;
        for host in &self.hosts {
            host.start_again().await?;
        }
        let [orders, others] = deleted?;
        Ok(format!("{orders} orders, {others} other records"))
    }

    /// Returns the number of orders, and of other records.
    async fn delete_unread(&self) -> Result<[usize; 2]> {
        let rows = {
            let mut session = self.servers.database.lock().await.session().await?;
            raw_sql(PROGRESS).fetch_all(&mut session).await?
        };
        let mut stored = BTreeMap::new();
        for row in rows {
            stored.insert(row.try_get::<i32, _>(0)?, row.try_get::<i64, _>(1)?);
        }
        let topic = orders_topic(&self.prefix);
        let mut settings = self.kafka();
        settings.set("group.id", "chaos-reader");
        settings.set("enable.partition.eof", "true");
        let consumer: BaseConsumer = settings.create()?;
        let mut until = TopicPartitionList::new();
        let [mut orders, mut others] = [0; 2];
        for partition in 0..self.partitions(&topic)? {
            let (start, end) =
                block_in_place(|| consumer.fetch_watermarks(&topic, partition, BROKER))?;
            let from = stored.get(&partition).copied().unwrap_or(0).max(start);
            if from >= end {
                continue;
            }
            until.add_partition_offset(&topic, partition, Offset::Offset(end))?;
            let records = block_in_place(|| read(&consumer, &topic, partition, from))?;
            for record in records {
                if record.key() == Some(POISON_KEY.as_bytes()) {
                    self.poison.fetch_sub(1, Ordering::SeqCst);
                    others += 1;
                } else if let Ok(order) = serde_json::from_slice::<Order>(payload(&record)) {
                    self.log.write("deleted", json!({ "order": order.order }));
                    orders += 1;
                } else {
                    others += 1;
                }
            }
        }
        ensure!(orders > 0, "no order was unread");
        let admin: AdminClient<DefaultClientContext> = self.kafka().create()?;
        admin.delete_records(&until, &AdminOptions::new()).await?;
        Ok([orders, others])
    }

    pub(super) fn kafka(&self) -> ClientConfig {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", self.servers.kafka_brokers());
        settings
    }

    /// Publishes a record that is no order, and counts it once the broker has it.
    async fn send(&self, producer: &FutureProducer, value: Option<&[u8]>) -> Result<()> {
        let topic = orders_topic(&self.prefix);
        let mut record = FutureRecord::to(&topic).key(POISON_KEY);
        record.payload = value;
        let sent = producer.send(record, Timeout::Never).await;
        sent.map_err(|(error, _)| error)?;
        self.poison.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

fn payload(record: &OwnedMessage) -> &[u8] {
    record.payload().unwrap_or_default()
}

/// Reads a partition from an offset to its end.
fn read(
    consumer: &BaseConsumer,
    topic: &str,
    partition: i32,
    from: i64,
) -> Result<Vec<OwnedMessage>> {
    let mut position = TopicPartitionList::new();
    position.add_partition_offset(topic, partition, Offset::Offset(from))?;
    consumer.assign(&position)?;
    let mut records = Vec::new();
    let until = Instant::now() + BROKER;
    // A poll also ends after an event that it does not return.
    while Instant::now() < until {
        match consumer.poll(POLL) {
            Some(Ok(record)) => records.push(record.detach()),
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(records),
            Some(Err(error)) => return Err(error.into()),
            None => {}
        }
    }
    bail!("{topic}-{partition} cannot be read within {BROKER:?}")
}
