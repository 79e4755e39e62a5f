//! Connections of a queue's mapping that end, go silent, or reach a frozen server.

use std::net::TcpListener;
use std::time::Duration;

use testkit::eventually_within;
use testkit::relay::Relay;

use crate::sqs_fixture::{SqsFixture, client, endpoint};

/// A request on a silent connection ends after five seconds. The server may have answered it with
/// the message, which is then hidden for three seconds.
const RECOVERED: Duration = Duration::from_secs(9);

struct Connected {
    relay: Relay,
    fixture: SqsFixture,
}

impl Connected {
    /// Sends a message past the relay and waits until the function is done with it.
    async fn done(&self, what: &str) {
        self.fixture.send(&[what]).await;
        eventually_within(RECOVERED, what, async || {
            let seen = self.fixture.seen();
            let done = seen.iter().filter(|seen| seen.done && seen.body == what);
            (done.count() > 0).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn useless_connections_of_a_queue_are_replaced() {
    let (_, port) = endpoint()
        .rsplit_once(':')
        .map(|(host, port)| (host.to_owned(), port.parse().expect("a port")))
        .expect("an endpoint with a port");
    let relay = Relay::start(port).await;
    let through = format!("http://127.0.0.1:{}", relay.port());
    let mut fixture = SqsFixture::with(through, "", None).await;
    // the test's own requests do not pass the relay
    (fixture.endpoint, fixture.client) = (endpoint(), client(&endpoint()));
    let running = fixture.start();
    let connected = Connected { relay, fixture };
    connected.done("first").await;
    connected.relay.disconnect().await;
    connected.done("closed").await;
    connected.relay.reset().await;
    connected.done("reset").await;
    connected.relay.silence().await;
    connected.done("silent").await;

    // accepts connections and answers nothing
    let frozen = TcpListener::bind("127.0.0.1:0").expect("a free port");
    connected
        .relay
        .redirect(frozen.local_addr().unwrap().port());
    connected.relay.silence().await;
    eventually_within(RECOVERED, "the status says so", async || {
        running.source.snapshot().problem
    })
    .await;
    connected.relay.redirect(port);
    connected.done("thawed").await;
    eventually_within(RECOVERED, "no problem is left", async || {
        running.source.snapshot().problem.is_none().then_some(())
    })
    .await;
    running.drain().await;
}
