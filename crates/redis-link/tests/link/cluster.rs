//! A cluster: routing, failover of a primary, and a slot that moves.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::cmd;
use redis_link::{Eviction, Link, LinkError};
use testkit::redis_cluster::PrivateCluster;

use crate::TIMEOUT;
use crate::counter::Counter;

/// Keys of many slots: every node has some of them.
const KEYS: usize = 60;

fn key(n: usize) -> String {
    format!("{{tag{n}}}counter")
}

fn link(cluster: &PrivateCluster) -> Link {
    // The other nodes are found through this one.
    Link::open(&cluster.url_of(0), TIMEOUT).expect("a usable address")
}

/// A counter whose key is served by primary `n`.
fn counter_of(cluster: &PrivateCluster, link: &Link, n: usize) -> Counter {
    let key = (0..10_000)
        .map(key)
        .find(|key| cluster.primary_of(key) == n);
    Counter::new(link, key.expect("a key for each node"))
}

#[tokio::test]
async fn requests_reach_the_node_of_their_key() {
    let cluster = PrivateCluster::start(3, 0);
    let link = link(&cluster);
    for n in 0..KEYS {
        assert_eq!(Counter::new(&link, key(n)).add().await, Ok(1));
    }
    // One pipeline whose commands belong to all nodes, answered in order.
    let reads = (0..KEYS).map(|n| cmd("GET").arg(key(n)).to_owned());
    let replies = link.read("counters", reads.chain([cmd("TIME")]).collect());
    let replies = replies.await.expect("answers");
    let values: Vec<u64> = replies
        .into_iter()
        .map(|mut reply| reply.parse().expect("a number"))
        .collect();
    assert_eq!(values[..KEYS], vec![1; KEYS]);
    assert!(values[KEYS] > 1, "seconds of a clock");

    let (mut position, mut found) = (0, BTreeSet::new());
    loop {
        let scan = |cursor| cmd("SCAN").arg(cursor).arg("COUNT").arg(7).to_owned();
        let (next, mut keys) = link.scan("scan", position, scan).await.expect("answers");
        while let Some(key) = keys.next_word().expect("a key") {
            found.insert(key);
        }
        position = next;
        if position == 0 {
            break;
        }
    }
    assert_eq!(found, (0..KEYS).map(key).collect());

    cluster
        .node(2)
        .run(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let (worst, _) = link.eviction().await.expect("answers");
    assert_eq!(worst, Eviction::Anything);
}

#[tokio::test]
async fn an_address_that_hides_a_cluster_is_explained() {
    let cluster = PrivateCluster::start(3, 0);
    let one = Link::open(&cluster.node(0).url(), TIMEOUT).expect("a usable address");
    let key = (0..10_000)
        .map(key)
        .find(|key| cluster.primary_of(key) == 1);
    let failed = Counter::new(&one, key.expect("a key for each node"))
        .add()
        .await;
    assert!(
        matches!(&failed, Err(LinkError::Unavailable(text)) if text.contains("?cluster=true")),
        "{failed:?}"
    );
}

#[tokio::test]
async fn blocking_reads_and_messages_reach_every_node() {
    let cluster = PrivateCluster::start(3, 0);
    let link = link(&cluster);
    for n in 0..3 {
        let key = (0..10_000)
            .map(key)
            .find(|key| cluster.primary_of(key) == n);
        let key = key.expect("a key for each node");
        let id: String = cluster.node(n).query(&["XADD", &key, "*", "n", "1"]);
        let mut read = cmd("XREAD");
        read.arg("BLOCK")
            .arg(1000)
            .arg("STREAMS")
            .arg(&key)
            .arg("0");
        let (reply, _) = link
            .blocking()
            .run(read, Duration::from_secs(1), None)
            .await
            .expect("answers");
        assert!(format!("{reply:?}").contains(&id), "{reply:?}");

        let mut subscription = link.subscribe(&["news".into()]).await.expect("subscribes");
        let ((), received) = tokio::join!(
            async { cluster.node(n).run(&["PUBLISH", "news", "text"]) },
            subscription.next()
        );
        assert_eq!(received, Some(("news".into(), "text".into())));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_failover_loses_no_step() {
    let cluster = PrivateCluster::start(3, 1);
    let link = link(&cluster);
    let mut counters: Vec<_> = (0..3).map(|n| counter_of(&cluster, &link, n)).collect();
    for counter in &mut counters {
        counter.add().await.expect("the cluster serves");
    }
    cluster.node(3).run(&["CLUSTER", "FAILOVER"]);
    for _ in 0..50 {
        for counter in &mut counters {
            counter.add_soon().await;
        }
    }
    for counter in &counters {
        assert_eq!(counter.seen, 51);
    }
    let role: Vec<redis::Value> = cluster.node(3).query(&["ROLE"]);
    assert_eq!(role[0], redis::Value::BulkString(b"master".to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_is_replaced() {
    let mut cluster = PrivateCluster::start(3, 1);
    // The node of the address is the one that dies.
    let link = link(&cluster);
    let mut dead = counter_of(&cluster, &link, 0);
    let mut alive = counter_of(&cluster, &link, 1);
    dead.add().await.expect("the cluster serves");
    alive.add().await.expect("the cluster serves");
    cluster.node(0).wait_for_replicas();
    cluster.node_mut(0).kill();
    alive.add_soon().await;
    let errors = dead.add_soon().await;
    assert_eq!(dead.seen, 2, "after {} errors", errors.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_moves_without_an_error() {
    let cluster = PrivateCluster::start(3, 0);
    let link = link(&cluster);
    // One key to watch, and others that make the move take a while.
    let tag = (0..10_000)
        .map(|n| format!("{{tag{n}}}"))
        .find(|tag| cluster.primary_of(tag) == 0)
        .expect("a tag for each node");
    for n in 0..300 {
        let key = format!("{tag}:{n}");
        cluster.node(0).run(&["SET", &key, "value"]);
    }
    let mut counter = Counter::new(&link, format!("{tag}:counter"));
    counter.add().await.expect("the cluster serves");
    let slot: u16 = cluster.node(0).query(&["CLUSTER", "KEYSLOT", &tag]);
    let moved = tokio::task::spawn_blocking(move || {
        cluster.move_slot(slot, 0, 2);
        cluster
    });
    let mut steps = 1;
    while !moved.is_finished() {
        counter.add().await.expect("a redirection is followed");
        steps += 1;
    }
    let cluster = moved.await.expect("the slot moves");
    counter.add().await.expect("the new node serves");
    assert_eq!(counter.seen, steps + 1);
    // Neither function nor script has to be known to the new node.
    cluster.node(2).run(&["FUNCTION", "FLUSH"]);
    cluster.node(2).run(&["SCRIPT", "FLUSH"]);
    counter.add().await.expect("it is loaded again");
}
