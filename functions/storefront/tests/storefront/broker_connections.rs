//! Connections to the brokers that end or go silent: each publish ends within its bound, and the
//! producer recovers within five seconds.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use storefront::kafka::{BrokerAccess, KafkaOrders, PublishOrders, Published};
use testkit::kafka::PrivateKafka;
use testkit::net::free_address;
use testkit::relay::Relay;
use testkit::until;

use crate::topics::create_topic;

const TOPIC: &str = "orders";
const DELIVERY: Duration = Duration::from_secs(10);
const RECOVERED: Duration = Duration::from_secs(5);
/// librdkafka reports its timeouts late by up to a second.
const LATE: Duration = Duration::from_secs(1);

struct Connected {
    relay: Relay,
    kafka: PrivateKafka,
    kafka_port: u16,
    orders: KafkaOrders,
}

impl Connected {
    /// A producer that has published through a relay.
    async fn start(delivery: Duration) -> Self {
        let kafka_port = free_address().port();
        let relay = Relay::start(kafka_port).await;
        let kafka = PrivateKafka::behind(vec![[kafka_port, relay.port()]]);
        let servers = format!("127.0.0.1:{}", relay.port());
        create_topic(&servers, TOPIC).await;
        let access = BrokerAccess::plaintext(servers);
        let orders = KafkaOrders::open(access, TOPIC, delivery, Duration::ZERO).expect("opens");
        let connected = Self {
            relay,
            kafka,
            kafka_port,
            orders,
        };
        assert!(is_acknowledged(&connected.publish().await));
        connected
    }

    async fn publish(&self) -> Published {
        self.orders.put_back(TOPIC, None, Some(b"a record")).await
    }

    /// Publishes once and returns the time that it took.
    async fn acknowledged_within(&self, bound: Duration, what: &str) {
        let began = Instant::now();
        let published = self.publish().await;
        let took = began.elapsed();
        assert!(
            is_acknowledged(&published),
            "{what}: {published:?} after {took:?}"
        );
        assert!(took < bound, "{what}: after {took:?}");
    }

    /// Publishes while the only server is at `port`, and again when the broker is back.
    async fn outage(&self, port: u16, delivery: Duration, what: &str) {
        self.relay.redirect(port);
        self.relay.silence().await;
        let began = Instant::now();
        let published = self.publish().await;
        let took = began.elapsed();
        assert!(
            matches!(published, Published::Unknown(_)),
            "{what}: {published:?}"
        );
        assert!(took < delivery + LATE, "{what}: {took:?}");
        // The circuit breaker is open: orders are refused at once.
        let began = Instant::now();
        self.orders.ready().await.expect_err("no brokers");
        assert!(began.elapsed() < LATE, "{what}: {:?}", began.elapsed());

        self.relay.redirect(self.kafka_port);
        let back = Instant::now();
        until("ready again", async || self.orders.ready().await.is_ok()).await;
        self.acknowledged_within(RECOVERED, what).await;
        assert!(back.elapsed() < RECOVERED, "{what}: {:?}", back.elapsed());
    }
}

fn is_acknowledged(published: &Published) -> bool {
    matches!(published, Published::Acknowledged { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn useless_connections_to_brokers_are_replaced() {
    let connected = Connected::start(DELIVERY).await;
    connected.relay.silence().await;
    connected.acknowledged_within(RECOVERED, "silent").await;
    connected.relay.disconnect().await;
    connected.acknowledged_within(RECOVERED, "closed").await;
    connected.relay.reset().await;
    connected.acknowledged_within(RECOVERED, "reset").await;
    connected.relay.silence().await;
    let ready = tokio::time::timeout(Duration::from_secs(1), connected.orders.ready()).await;
    assert!(ready.is_ok(), "readiness waits for no connection");
    connected
        .acknowledged_within(RECOVERED, "silent again")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_without_brokers_ends_within_its_bound() {
    let delivery = Duration::from_secs(2);
    let connected = Connected::start(delivery).await;
    let closed = free_address().port();
    connected.outage(closed, delivery, "closed").await;
    // Accepts connections and answers nothing, as a broker that is stopped by SIGSTOP.
    let frozen = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = frozen.local_addr().expect("an address").port();
    connected.outage(port, delivery, "frozen").await;
    drop(connected.kafka);
}
