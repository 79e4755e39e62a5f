//! A topic of Kafka.

use std::sync::Mutex;

use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::Value;
use testkit::eventually;
use testkit::kafka::PrivateKafka;

use super::sqs::{count, create, dead, server};
use super::{Declaration, Outage, Place, Promise, Setup, SourceUnderTest};
use crate::kafka_fixture::{KafkaFixture, random};
use crate::kafka_recovery::damage;
use crate::sources_fixture::{Host, PATIENCE, create_topic, delete_topic};
use crate::sqs_fixture::{arn, endpoint};

/// Records of a batch that cannot be read.
const UNREADABLE: i64 = 50;

pub(crate) struct Topic {
    setup: Setup,
    name: String,
    /// In an outage of the broker, a broker of this test.
    kafka: Option<PrivateKafka>,
    fixture: KafkaFixture,
    /// Items that are planned, by partition.
    planned: Mutex<Vec<usize>>,
}

impl Topic {
    fn topic(&self) -> &str {
        self.fixture.topic()
    }

    /// Fills the topic with a batch, and damages it on the broker's disk.
    async fn damage(&self) {
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.fixture.mapping.bootstrap_servers)
            .set("compression.type", "zstd")
            .set("linger.ms", "500")
            .create()
            .unwrap();
        let values: Vec<String> = (0..UNREADABLE).map(|_| random()).collect();
        let sends = values.iter().map(|value| {
            let record: FutureRecord<'_, (), String> =
                FutureRecord::to(self.topic()).partition(0).payload(value);
            producer.send(record, PATIENCE)
        });
        for sent in futures::future::join_all(sends).await {
            sent.unwrap();
        }
        let kafka = self.kafka.as_ref().unwrap();
        kafka.stop();
        for file in kafka.log_files(self.topic(), 0) {
            damage(&file);
        }
        kafka.start_again();
    }
}

impl SourceUnderTest for Topic {
    const KIND: &'static str = "kafka";
    const NAME: &'static str = "Kafka topic";
    const MANY: usize = 400;
    const REPEATS_UNIT: bool = true;

    fn exempt(_promise: Promise) -> Option<&'static str> {
        None
    }

    async fn new(setup: Setup) -> Self {
        let name = format!("s{}", random());
        if setup.attempts.is_some() {
            create(&dead(&name), [].into()).await;
        }
        let kafka = match setup.outage {
            Some(Outage::Away | Outage::Unreadable) => Some(PrivateKafka::start()),
            _ => None,
        };
        let brokers = kafka
            .as_ref()
            .map_or_else(testkit::servers::brokers, PrivateKafka::brokers);
        // a topic that a test creates again has one partition
        let partitions: usize = if setup.outage.is_some() { 1 } else { 4 };
        Self {
            setup,
            name,
            kafka,
            fixture: KafkaFixture::at(brokers, partitions as i32).await,
            planned: Mutex::new(vec![0; partitions]),
        }
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn declare(&self) -> Declaration {
        let mapping = &self.fixture.mapping;
        let limit = self.setup.attempts.map_or_else(String::new, |attempts| {
            format!(
                "            MaximumRetryAttempts: {}
            DestinationConfig: {{OnFailure: {{Type: SQS, Destination: '{}'}}}}
",
                attempts - 1,
                arn(&dead(&self.name))
            )
        });
        let properties = format!(
            "      Events:
        Items:
          Type: SelfManagedKafka
          Properties:
            Topics: [{}]
            KafkaBootstrapServers: ['{}']
            ConsumerGroupId: {}
            StartingPosition: TRIM_HORIZON
            BatchSize: {}
            FunctionResponseTypes: [ReportBatchItemFailures]
{limit}",
            self.topic(),
            mapping.bootstrap_servers,
            mapping.group,
            self.setup.batch
        );
        Declaration {
            properties,
            settings: vec![server(&endpoint())],
        }
    }

    fn place(&self) -> Place {
        let id = format!("{}.Items", self.setup.function);
        Place {
            list: "mappings",
            field: "mapping",
            kind: "kafka",
            lag: vec![format!("usher_kafka_lag{{mapping=\"{id}\"")],
            up: Some(format!("usher_kafka_up{{mapping=\"{id}\"")),
            id,
        }
    }

    fn plan(&self, count: usize) -> Vec<String> {
        let mut planned = self.planned.lock().unwrap();
        let partitions = planned.len();
        let next = |_| {
            let partition = planned.iter().sum::<usize>() % partitions;
            planned[partition] += 1;
            format!("{}-{partition}.{}", self.name, planned[partition])
        };
        (0..count).map(next).collect()
    }

    async fn send(&self, _host: &Host, items: &[String]) {
        let partitions = self.planned.lock().unwrap().len();
        for partition in 0..partitions {
            let unit = format!("{}-{partition}.", self.name);
            let of = items.iter().filter(|item| item.starts_with(&unit));
            let values: Vec<String> = of.cloned().collect();
            self.fixture.produce(partition as i32, &values).await;
        }
    }

    fn lag(entry: &Value) -> Option<u64> {
        let partitions = entry["partitions"].as_array()?;
        partitions
            .iter()
            .map(|partition| partition["lag"].as_u64())
            .sum()
    }

    async fn is_empty(&self) -> bool {
        let planned = self.planned.lock().unwrap().clone();
        for (partition, planned) in (0..).zip(planned) {
            let committed = self.fixture.committed(partition).await;
            if committed.unwrap_or(0) != planned as i64 {
                return false;
            }
        }
        true
    }

    async fn dead_letters(&self) -> u64 {
        count(&dead(&self.name)).await
    }

    fn begins_before(outage: Outage) -> bool {
        matches!(outage, Outage::Absent | Outage::Unreadable)
    }

    fn state_in(&self, outage: Outage) -> (&'static str, [String; 2]) {
        let topic = self.topic().to_owned();
        match outage {
            Outage::Absent | Outage::Deleted => ("missing", [topic, "Create".into()]),
            Outage::Unreadable => ("stuck", [topic, "cannot be read".into()]),
            Outage::Away => {
                let servers = self.fixture.mapping.bootstrap_servers.clone();
                ("away", [servers, "Start it".into()])
            }
        }
    }

    async fn begin(&self, outage: Outage) {
        match outage {
            Outage::Absent | Outage::Deleted => delete_topic(&self.fixture, self.topic()).await,
            Outage::Unreadable => self.damage().await,
            Outage::Away => self.kafka.as_ref().unwrap().kill(),
        }
    }

    async fn end(&self, host: &Host, outage: Outage) {
        match outage {
            Outage::Absent | Outage::Deleted => create_topic(&self.fixture, self.topic()).await,
            Outage::Unreadable => {
                eventually("the lag is known", async || {
                    let entry = self.place().entry(&host.json("/_usher/status").await);
                    (Self::lag(&entry) == Some(UNREADABLE as u64)).then_some(())
                })
                .await;
                let to = UNREADABLE.to_string();
                let id = self.place().id;
                let seek = ["offsets", "seek", &id, "--partition", "0", "--to", &to];
                host.said(&[&seek[..], &["--apply"]].concat());
            }
            Outage::Away => self.kafka.as_ref().unwrap().start_again(),
        }
    }
}
