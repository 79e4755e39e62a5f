//! The address leads to another server, or a connection falls silent, while connections to the old one stand.

use std::time::{Duration, Instant};

use delay_queue::{DelayQueue, Due, Shard};
use redis_link::{Eviction, Link};
use shared::gate::{Gate, GateError, Reserved};
use shared::naming::Names;

use super::private::Private;
use super::relay::{Relay, refusing};
use super::stage::{Stage, best};

const LATER: Due = Due::In(3_600_000);

/// Short, so that silence is noticed soon; long enough for a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

/// A primary behind a relay, and the server that is to take its place.
pub(crate) struct Pair {
    pub(crate) old: Private,
    pub(crate) new: Private,
    pub(crate) relay: Relay,
    pub(crate) names: Names,
}

impl Pair {
    pub(crate) async fn start() -> Self {
        let (old, new) = tokio::task::block_in_place(|| (Private::start(&[]), Private::start(&[])));
        let relay = Relay::start(old.port).await;
        let names =
            Names::new(&format!("t{:012x}", rand::random::<u64>() >> 16)).expect("a valid prefix");
        Self {
            old,
            new,
            relay,
            names,
        }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.relay.port())
    }

    pub(crate) fn link(&self) -> Link {
        Link::open(&self.url(), TIMEOUT).expect("a usable address")
    }

    pub(crate) fn queue(&self) -> DelayQueue {
        DelayQueue::new(self.link(), self.names.prefix(), "jobs").expect("a valid name")
    }

    /// The address leads to the new server; the old one goes on as its replica, over the connections that stand.
    pub(crate) fn fail_over(&self) {
        self.relay.lead_to(self.new.port);
        let port = self.new.port.to_string();
        tokio::task::block_in_place(|| self.old.run(&["REPLICAOF", "127.0.0.1", &port]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_leaves_a_server_that_became_a_replica() {
    let pair = Pair::start().await;
    let queue = pair.queue();
    queue
        .schedule(Shard::of_id("a"), "a", "x", LATER)
        .await
        .expect("answers");
    pair.fail_over();
    // Refused whole, so it is repeated on the new connection, unseen by the caller.
    queue
        .schedule(Shard::of_id("b"), "b", "x", LATER)
        .await
        .expect("the new server takes it");
    // Several scripts in one round trip: one a shard.
    let shards: Vec<_> = Shard::all().collect();
    assert!(
        queue
            .claim(&shards, 10, 1000)
            .await
            .expect("answers")
            .claims
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_leaves_a_server_that_became_a_replica() {
    let pair = Pair::start().await;
    let stage = Stage::at(&pair.new.url(), &[(1, 10)]).await;
    let gate = Gate::connect(&pair.url(), stage.names.clone(), TIMEOUT).expect("a usable address");
    assert_eq!(
        gate.availability(stage.at_program()).await,
        Ok(None),
        "the old server knows no program"
    );
    stage.install().await;
    pair.relay.lead_to(pair.new.port);
    // A replica without its primary shows what it has, for ever.
    tokio::task::block_in_place(|| pair.old.run(&["REPLICAOF", "127.0.0.1", "1"]));
    assert!(
        matches!(gate.availability(stage.at_program()).await, Ok(Some(_))),
        "seen on the new server"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_loads_is_left_for_one_that_answers() {
    for refusal in [
        "LOADING Redis is loading the dataset in memory",
        "MASTERDOWN Link with MASTER is down",
        "ERR Error running script (call to f_1): @user_script: 1: -READONLY You can't write against a read only replica.",
    ] {
        let pair = Pair::start().await;
        let refusing = refusing(refusal).await;
        pair.relay.lead_to(refusing);
        let queue = pair.queue();
        let refused = queue.schedule(Shard::of_id("a"), "a", "x", LATER).await;
        assert!(
            matches!(refused, Err(GateError::Unavailable(_))),
            "{refusal}: {refused:?}"
        );
        pair.relay.lead_to(pair.new.port);
        queue
            .schedule(Shard::of_id("a"), "a", "x", LATER)
            .await
            .unwrap_or_else(|error| panic!("{refusal}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_connection_costs_one_response_timeout() {
    let pair = Pair::start().await;
    let stage = Stage::at(&pair.old.url(), &[(1, 10)]).await;
    stage.install().await;
    let gate = Gate::connect(&pair.url(), stage.names.clone(), TIMEOUT).expect("a usable address");
    gate.ping().await.expect("answers");
    pair.relay.silence();
    let asked = Instant::now();
    let silent = gate
        .reserve(&stage.wish(stage.order(), "alice", best(1)))
        .await;
    assert!(
        matches!(silent, Err(GateError::Unavailable(_))),
        "{silent:?}"
    );
    assert!(asked.elapsed() < 5 * TIMEOUT, "{:?}", asked.elapsed());
    for _ in 0..3 {
        let held = gate
            .reserve(&stage.wish(stage.order(), "bob", best(1)))
            .await;
        assert!(matches!(held, Ok(Reserved::Held { .. })), "{held:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_login_is_tried_again() {
    let server = tokio::task::block_in_place(|| Private::start(&[]));
    let url = server.url().replace("redis://", "redis://:hush@");
    let gate = Gate::connect(&url, Names::new("login").expect("valid"), TIMEOUT)
        .expect("a usable address");
    assert!(gate.ping().await.is_err(), "no password is set yet");
    tokio::task::block_in_place(|| server.run(&["CONFIG", "SET", "requirepass", "hush"]));
    gate.ping().await.expect("the password fits now");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_refused_before_anything_connects() {
    let refused = Link::open("rediss://user:hush@nowhere", TIMEOUT).map(drop);
    let Err(GateError::Protocol(text)) = refused else {
        panic!("{refused:?}")
    };
    assert!(
        text.contains("TLS (rediss://), which is not built in") && !text.contains("hush"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_may_evict_is_known() {
    let server = tokio::task::block_in_place(|| Private::start(&[]));
    let link = Link::open(&server.url(), TIMEOUT).expect("a usable address");
    for (policy, eviction) in [
        ("noeviction", Eviction::Nothing),
        ("volatile-lru", Eviction::Expiring),
        ("allkeys-lfu", Eviction::Anything),
    ] {
        tokio::task::block_in_place(|| server.run(&["CONFIG", "SET", "maxmemory-policy", policy]));
        assert_eq!(link.eviction().await, Ok((eviction, policy.to_owned())));
    }
}
