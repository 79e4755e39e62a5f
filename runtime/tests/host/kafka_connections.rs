//! Connections of a mapping to its brokers that end, go silent, or reach a frozen broker: records
//! are processed again within five seconds, and their offsets are committed.

use std::net::TcpListener;
use std::time::Duration;

use testkit::kafka::PrivateKafka;
use testkit::net::free_address;
use testkit::relay::Relay;
use testkit::{eventually_within, until};

use crate::kafka_fixture::{KafkaFixture, Running, values};

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
