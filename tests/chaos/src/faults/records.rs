//! The topic of orders, and records in it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::util::Timeout;
use ticket_rush::prepare::orders_topic;
use ticket_rush::topics::{self, remove};
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use super::Target;

/// Records of the last seconds that are delivered again.
const AGAIN: SignedDuration = SignedDuration::from_secs(15);
/// How long a request to the broker may take. It is repeated until then.
const BROKER: Duration = Duration::from_mins(1);
/// How long order-create may take until it has read everything.
const READING: Duration = Duration::from_mins(1);
/// The topic has been read when nothing is unread for so long: longer than a delivery of storefront
/// may take.
const QUIET: Duration = Duration::from_secs(4);
const PAUSE: Duration = Duration::from_millis(200);

/// Values of records that are no orders: no JSON, wrong types, NUL in a text.
const POISON: [&[u8]; 3] = [
    b"hello",
    br#"{"v":"one","order":7,"nonce":[],"user":{},"program":true}"#,
    br#"{"v":1,"order":"123456789","nonce":"00000000000000000000000000000000","user":"a\u0000b"}"#,
];

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

    pub(super) async fn add_partition(&self) -> Result<String> {
        let topic = orders_topic(&self.prefix);
        let partitions = self.partitions(&topic)? + 1;
        let admin: AdminClient<DefaultClientContext> = self.kafka().create()?;
        let options = AdminOptions::new().operation_timeout(Some(BROKER));
        let new = NewPartitions::new(&topic, partitions as usize);
        for result in admin.create_partitions([&new], &options).await? {
            if let Err((topic, code)) = result {
                bail!("no partition is added to {topic}: {code}");
            }
        }
        Ok(format!("{partitions} partitions"))
    }

    /// Kafka keeps what it acknowledged, so the topic is removed only when order-create has stored
    /// all of it. Buyers pause meanwhile.
    pub(super) async fn recreate_topic(&self) -> Result<String> {
        let _no_requests = self.permits.acquire_many(self.requests).await?;
        self.read_to_the_end().await?;
        let topic = orders_topic(&self.prefix);
        let partitions = self.partitions(&topic)?;
        let mut servers = self.servers.addresses();
        servers.brokers = self.servers.kafka_brokers().to_owned();
        remove(&servers, &topic).await?;
        let until = Instant::now() + BROKER;
        // The broker removes it in the background.
        while !topics::ensure(&servers, &topic, partitions).await? {
            if Instant::now() > until {
                bail!("the topic was not removed within {BROKER:?}");
            }
            sleep(PAUSE).await;
        }
        Ok(format!("{partitions} partitions, all of them empty"))
    }

    async fn read_to_the_end(&self) -> Result<()> {
        let until = Instant::now() + READING;
        let mut read_since = None;
        loop {
            let mut read = true;
            for host in &self.hosts {
                let status = host.status().status().await?;
                let mapping = status.mapping("OrderCreate");
                let mapping = mapping.context("a host has no mapping of OrderCreate")?;
                read &= mapping
                    .partitions
                    .iter()
                    .all(|partition| partition.position.unwrap_or(0) >= partition.end.unwrap_or(0));
            }
            if read {
                let since = *read_since.get_or_insert_with(Instant::now);
                if since.elapsed() > QUIET {
                    return Ok(());
                }
            } else {
                read_since = None;
            }
            if Instant::now() > until {
                bail!("order-create has not read its topic within {READING:?}");
            }
            sleep(PAUSE).await;
        }
    }

    fn partitions(&self, topic: &str) -> Result<i32> {
        let consumer: BaseConsumer = self.kafka().create()?;
        let metadata = block_in_place(|| consumer.fetch_metadata(Some(topic), BROKER))?;
        let of_topic = metadata.topics().first().context("the topic is missing")?;
        Ok(i32::try_from(of_topic.partitions().len())?)
    }

    fn kafka(&self) -> ClientConfig {
        let mut settings = ClientConfig::new();
        settings.set("bootstrap.servers", self.servers.kafka_brokers());
        settings
    }

    /// Publishes a record that is no order, and counts it once the broker has it.
    async fn send(&self, producer: &FutureProducer, value: Option<&[u8]>) -> Result<()> {
        let topic = orders_topic(&self.prefix);
        let mut record = FutureRecord::to(&topic).key("chaos");
        record.payload = value;
        let sent = producer.send(record, Timeout::Never).await;
        sent.map_err(|(error, _)| error)?;
        self.poison.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}
