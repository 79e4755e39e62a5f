//! The load: good records and every kind of bad input.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::task::{JoinHandle, block_in_place};

use super::environment::{Position, Sent, TestEnvironment};
use crate::raw_kafka;

pub(super) const PARTITIONS: i32 = 4;
/// Interval of the rounds of bad input: five a second.
pub(super) const ROUND: Duration = Duration::from_millis(200);
/// Good records of each partition in a round: 200 a second over four partitions.
pub(super) const GOOD: usize = 10;
/// Rounds between two fencings (30 seconds).
pub(super) const FENCING: usize = 150;
/// The round of the first fencing.
pub(super) const FIRST_FENCING: usize = 20;
/// Random bytes of an oversize record: 900 kB as text, which its topic accepts. Its failure record,
/// in base64 again, exceeds [`DESTINATION_LIMIT`] even when it is compressed.
pub(super) const OVERSIZE: usize = 675_000;
/// Maximum batch size of the destination in bytes.
pub(super) const DESTINATION_LIMIT: &str = "500000";
pub(super) const SECONDS: Duration = Duration::from_secs(30);

/// Producer of the load, with its clients.
pub(super) struct Load<'a> {
    pub(super) environment: &'a TestEnvironment,
    pub(super) plain: FutureProducer,
    pub(super) zstd: FutureProducer,
    pub(super) transactional: FutureProducer,
    pub(super) admin: AdminClient<DefaultClientContext>,
    /// Value of the oversize records.
    pub(super) oversize: String,
    /// True if a fencing took the partitions.
    pub(super) fencings: Vec<JoinHandle<bool>>,
    /// Records of the second topic that must not be deleted, since the last deletion.
    pub(super) kept: Vec<String>,
    pub(super) sent: Sent,
}

impl<'a> Load<'a> {
    pub(super) fn new(environment: &'a TestEnvironment) -> Self {
        let transactional: FutureProducer = environment
            .client()
            .set("transactional.id", environment.topic())
            .create()
            .unwrap();
        transactional.init_transactions(SECONDS).unwrap();
        Self {
            environment,
            plain: environment.client().create().unwrap(),
            zstd: environment
                .client()
                .set("compression.type", "zstd")
                .create()
                .unwrap(),
            transactional,
            admin: environment.client().create().unwrap(),
            oversize: format!(
                "always-partial {}",
                STANDARD.encode(rand::random_iter().take(OVERSIZE).collect::<Vec<u8>>())
            ),
            fencings: Vec::new(),
            kept: Vec::new(),
            sent: Sent::default(),
        }
    }

    pub(super) async fn send(
        producer: &FutureProducer,
        topic: &str,
        partition: i32,
        values: &[String],
    ) -> Vec<Position> {
        let sends = values.iter().map(|value| {
            let record: FutureRecord<'_, (), String> =
                FutureRecord::to(topic).partition(partition).payload(value);
            producer.send(record, SECONDS)
        });
        let sent = futures::future::join_all(sends).await;
        sent.into_iter()
            .map(|sent| sent.map(|sent| (sent.partition, sent.offset)).unwrap())
            .collect()
    }

    pub(super) async fn round(&mut self, round: usize) {
        let topic = self.environment.topic();
        let partition = (round % PARTITIONS as usize) as i32;
        for partition in 0..PARTITIONS {
            let values: Vec<String> = (0..GOOD)
                .map(|n| format!("good {partition} {round} {n}"))
                .collect();
            Self::send(&self.plain, topic, partition, &values).await;
            self.sent.good.extend(values);
        }

        let odd = format!("odd header {round}");
        let headers: [(&[u8], Option<&[u8]>); 2] = [(b"tr\xe4ce", Some(b"1")), (b"a\0b", None)];
        let servers = &self.environment.fixture.mapping.bootstrap_servers;
        block_in_place(|| raw_kafka::produce(servers, topic, partition, odd.as_bytes(), &headers));
        self.sent.good.insert(odd);

        let compressed = format!("zstd {round} {}", "x".repeat(2_000));
        Self::send(
            &self.zstd,
            topic,
            partition,
            std::slice::from_ref(&compressed),
        )
        .await;
        self.sent.good.insert(compressed);

        for (commits, value) in [
            (true, format!("committed {round}")),
            (false, format!("aborted {round}")),
        ] {
            self.transactional.begin_transaction().unwrap();
            Self::send(
                &self.transactional,
                topic,
                partition,
                std::slice::from_ref(&value),
            )
            .await;
            if commits {
                block_in_place(|| self.transactional.commit_transaction(SECONDS)).unwrap();
                self.sent.good.insert(value);
            } else {
                block_in_place(|| self.transactional.abort_transaction(SECONDS)).unwrap();
                self.sent.aborted.insert(value);
            }
        }

        let failing = Self::send(
            &self.plain,
            topic,
            partition,
            &["always-partial".to_owned()],
        )
        .await;
        self.sent.failing.extend(failing);
        self.sent.oversize.extend(
            Self::send(
                &self.plain,
                topic,
                partition,
                std::slice::from_ref(&self.oversize),
            )
            .await,
        );

        self.second_topic(round).await;

        if round % FENCING == FIRST_FENCING {
            let config = self.environment.client();
            let group = self.environment.fixture.mapping.group.clone();
            let topic = topic.to_owned();
            self.fencings.push(tokio::task::spawn_blocking(move || {
                fence(config, &group, &topic)
            }));
        }
    }

    /// A record that is deleted as soon as it is acknowledged, and one that is kept.
    ///
    /// A deletion takes everything before its offset. While the host has not processed what was to
    /// be kept, nothing is deleted: it might be slow, or be replacing its consumer.
    async fn second_topic(&mut self, round: usize) {
        let second = &self.environment.second;
        let deleted = format!("deleted {round}");
        let kept = format!("kept {round}");
        let processed = self.environment.processed();
        let deletes = self.kept.iter().all(|kept| processed.contains(kept));
        let end = Self::send(&self.plain, second, 0, std::slice::from_ref(&deleted)).await[0].1 + 1;
        self.sent.deleted.insert(deleted);
        if deletes {
            let mut before = TopicPartitionList::new();
            before
                .add_partition_offset(second, 0, Offset::Offset(end))
                .unwrap();
            self.admin
                .delete_records(&before, &AdminOptions::new())
                .await
                .unwrap();
            self.kept.clear();
            self.sent.deletions += 1;
        }
        Self::send(&self.plain, second, 0, std::slice::from_ref(&kept)).await;
        self.kept.push(kept.clone());
        self.sent.good.insert(kept);
    }
}

/// Joins the group with the name of its static member until it has the partitions, then leaves.
/// Returns whether it got them within 20 s.
pub(super) fn fence(mut config: ClientConfig, group: &str, topic: &str) -> bool {
    let probe: BaseConsumer = config.create().unwrap();
    let groups = probe.fetch_group_list(Some(group), SECONDS).unwrap();
    let mut members = groups
        .groups()
        .iter()
        .flat_map(rdkafka::groups::GroupInfo::members);
    let Some(member) = members.next() else {
        return false;
    };
    // the id of a static member is its name, a hyphen and a UUID
    let instance = &member.id()[..member.id().len() - 37];
    config
        .set("group.id", group)
        .set("group.instance.id", instance)
        .set("enable.auto.commit", "false");
    // the shortest session that the broker accepts: a static member keeps its partitions until it
    // expires
    config
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", "6000");
    let intruder: BaseConsumer = config.create().unwrap();
    intruder.subscribe(&[topic]).unwrap();
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while intruder.assignment().unwrap().count() == 0 && std::time::Instant::now() < until {
        let _ = intruder.poll(Duration::from_millis(100));
    }
    intruder.assignment().unwrap().count() > 0
}
