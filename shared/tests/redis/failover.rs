//! The address leads to another server, or a connection falls silent.

use std::time::{Duration, Instant};

use shared::gate::{Gate, GateError, Reserved};
use shared::naming::Names;

use super::environment::{TestEnvironment, best};
use testkit::redis::PrivateRedis;
use testkit::relay::Relay;

/// Short, so that a silent connection is detected early; long enough for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A primary behind a relay, and the server that replaces it.
struct FailoverPair {
    old: PrivateRedis,
    new: PrivateRedis,
    relay: Relay,
}

impl FailoverPair {
    async fn start() -> Self {
        let (old, new) =
            tokio::task::block_in_place(|| (PrivateRedis::start(&[]), PrivateRedis::start(&[])));
        let relay = Relay::start(old.port()).await;
        Self { old, new, relay }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.relay.port())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_reconnects_from_a_replica() {
    let pair = FailoverPair::start().await;
    let environment = TestEnvironment::at(&pair.new.url(), &[(1, 10)]).await;
    let gate =
        Gate::connect(&pair.url(), environment.names.clone(), TIMEOUT).expect("a usable address");
    assert_eq!(
        gate.availability(environment.at_program()).await,
        Ok(None),
        "the old server has no program"
    );
    environment.install().await;
    pair.relay.redirect(pair.new.port());
    // A replica without its primary serves old data forever.
    tokio::task::block_in_place(|| pair.old.run(&["REPLICAOF", "127.0.0.1", "1"]));
    assert!(
        matches!(
            gate.availability(environment.at_program()).await,
            Ok(Some(_))
        ),
        "read from the new server"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_connection_costs_one_response_timeout() {
    let pair = FailoverPair::start().await;
    let environment = TestEnvironment::at(&pair.old.url(), &[(1, 10)]).await;
    environment.install().await;
    let gate =
        Gate::connect(&pair.url(), environment.names.clone(), TIMEOUT).expect("a usable address");
    gate.ping().await.expect("answers");
    pair.relay.silence().await;
    let asked = Instant::now();
    let silent = gate
        .reserve(&environment.request(environment.order(), "alice", best(1)))
        .await;
    assert!(
        matches!(silent, Err(GateError::Unavailable(_))),
        "{silent:?}"
    );
    assert!(asked.elapsed() < 5 * TIMEOUT, "{:?}", asked.elapsed());
    for _ in 0..3 {
        let held = gate
            .reserve(&environment.request(environment.order(), "bob", best(1)))
            .await;
        assert!(matches!(held, Ok(Reserved::Held { .. })), "{held:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_login_is_repeated() {
    let server = tokio::task::block_in_place(|| PrivateRedis::start(&[]));
    let url = server.url().replace("redis://", "redis://:hush@");
    let gate = Gate::connect(&url, Names::new("login").expect("valid"), TIMEOUT)
        .expect("a usable address");
    assert!(gate.ping().await.is_err(), "no password is set yet");
    tokio::task::block_in_place(|| server.run(&["CONFIG", "SET", "requirepass", "hush"]));
    gate.ping().await.expect("the password fits now");
}
