//! Connections of a mapping to its brokers that end, go silent, or reach a frozen broker: records
//! are processed again within five seconds, and their offsets are committed. A member that is cut off
//! for longer continues with the topic as it is then.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use testkit::kafka::PrivateKafka;
use testkit::net::free_address;
use testkit::relay::{Condition, Relay};
use testkit::{eventually, eventually_within, until};

use crate::kafka_fixture::{KafkaFixture, Running, values};
use crate::kafka_lost::create_again;

/// Time until records are processed.
const RECOVERED: Duration = Duration::from_secs(5);

/// Time until their offset is committed, afterwards. The connection to the coordinator is another
/// one. It may have carried a heartbeat three seconds before it went silent, is found silent three
/// seconds after the next, and the commit is then sent again.
const COMMITTED: Duration = Duration::from_secs(8);

struct Connected {
    kafka: PrivateKafka,
    kafka_port: u16,
    relay: Relay,
    fixture: KafkaFixture,
    running: Running,
    sent: usize,
}

impl Connected {
    /// A mapping that has processed records through a relay.
    async fn start() -> Self {
        let kafka_port = free_address().port();
        let relay = Relay::start(kafka_port).await;
        let kafka = PrivateKafka::behind(vec![[kafka_port, relay.port()]]);
        let fixture = KafkaFixture::at(format!("127.0.0.1:{}", relay.port()), 1).await;
        let running = fixture.start();
        let mut connected = Self {
            kafka,
            kafka_port,
            relay,
            fixture,
            running,
            sent: 0,
        };
        connected.produce().await;
        connected.fixture.eventually_seen(connected.sent).await;
        connected
    }

    async fn produce(&mut self) {
        let values = values(self.sent..self.sent + 3);
        self.fixture.produce(0, &values).await;
        self.sent += 3;
    }

    /// Sends records and waits until the function has the last one.
    async fn processed(&mut self, what: &str) {
        self.produce().await;
        let last = format!("value {}", self.sent - 1);
        eventually_within(RECOVERED, what, async || {
            let seen = self.fixture.seen();
            seen.iter().find(|(_, _, value)| *value == last).map(drop)
        })
        .await;
    }

    async fn committed(&self, what: &str) {
        let sent = Some(self.sent as i64);
        eventually_within(COMMITTED, what, async || {
            (self.fixture.committed(0).await == sent).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn useless_connections_of_a_mapping_are_replaced() {
    let mut connected = Connected::start().await;
    // at once, so that commits are in flight
    connected.relay.disconnect().await;
    connected.processed("closed").await;
    connected.relay.silence().await;
    connected.processed("silent").await;
    connected.relay.reset().await;
    connected.processed("reset").await;
    connected.relay.silence().await;
    connected.processed("silent again").await;
    connected.committed("all").await;

    // accepts connections and answers nothing, as a broker that is stopped by SIGSTOP
    let frozen = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let attempts = connected.relay.accepted();
    connected
        .relay
        .redirect(frozen.local_addr().unwrap().port());
    connected.relay.silence().await;
    until("the consumer has tried to connect", async || {
        connected.relay.accepted() > attempts + 1
    })
    .await;
    connected.relay.redirect(connected.kafka_port);
    connected.processed("thawed").await;
    connected.committed("thawed").await;
    connected.running.drain().await;
    connected.kafka.stop();
}

/// The group removes a member whose connections stand still. Its consumer learns of the new topic when
/// it joins again, with what it knows of the old one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_created_again_while_a_member_is_cut_off_loses_nothing() {
    let ports = [0; 2].map(|_| free_address().port());
    let mut relays = Vec::new();
    for port in ports {
        relays.push(Relay::start(port).await);
    }
    let through = [0, 1].map(|n| [ports[n], relays[n].port()]);
    let kafka = PrivateKafka::behind(through.to_vec());
    let at = |n: usize| format!("127.0.0.1:{}", relays[n].port());
    let mut fixture = KafkaFixture::at(at(0), 2).await;
    for partition in 0..2 {
        fixture.produce(partition, &values(0..3)).await;
    }
    let running = fixture.start();
    fixture.eventually_seen(6).await;
    relays[0].set(Condition::Held);
    fixture.reach_by(at(1));
    until_empty(&fixture).await;
    create_again(&fixture, 2).await;
    for partition in 0..2 {
        fixture.produce(partition, &values(10..30)).await;
    }
    relays[0].set(Condition::Open);
    eventually("every record of the new topic is processed", async || {
        let new = fixture.seen().into_iter().filter(|seen| seen.2.len() == 8);
        let new: BTreeSet<(i32, String)> = new.map(|seen| (seen.0, seen.2)).collect();
        (new.len() == 40).then_some(())
    })
    .await;
    running.drain().await;
    kafka.stop();
}

/// Waits until the group has no member.
async fn until_empty(fixture: &KafkaFixture) {
    eventually("the group has removed its member", async || {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &fixture.mapping.bootstrap_servers)
            .create()
            .unwrap();
        let group = fixture.mapping.group.clone();
        let listed = tokio::task::spawn_blocking(move || {
            let groups = client.fetch_group_list(Some(&group), Duration::from_secs(5));
            let groups = groups.ok()?;
            let members = groups.groups().iter().map(|group| group.members().len());
            Some(members.sum::<usize>())
        });
        (listed.await.unwrap()? == 0).then_some(())
    })
    .await;
}
