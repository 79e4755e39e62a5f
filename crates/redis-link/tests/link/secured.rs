//! Cluster and Sentinel as services have them: over TLS, with logins.

use std::sync::Arc;
use std::time::Duration;

use redis::cmd;
use redis_link::{FixedLogin, Link, LinkOptions, RefusalReason};
use testkit::redis::PrivateRedis;
use testkit::redis_cluster::PrivateCluster;
use testkit::redis_sentinel::PrivateSentinel;
use testkit::tls::Authority;
use testkit::until;

use crate::TIMEOUT;
use crate::counter::Counter;
use crate::login::{login, set_password};
use crate::sentinel::fail_over;
use crate::tls::{options, refusal};

const PASSWORD: &str = "hush";

/// As the user `buyer`, with TLS by this authority.
fn link(url: &str, authority: &Authority) -> Link {
    let options = LinkOptions {
        login: Some(Arc::new(FixedLogin(Some(login(PASSWORD))))),
        ..options(authority.pem(), None)
    };
    Link::open_with(url, TIMEOUT, options).expect("a usable address")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_is_used_over_tls_with_a_login() {
    let authority = Authority::new();
    let cluster = PrivateCluster::start_with_tls(3, 0, &authority);
    for n in 0..3 {
        set_password(cluster.node(n), PASSWORD);
    }
    // The other nodes, and where a slot moves, are found by the addresses that the nodes announce.
    let link = link(&cluster.url_of(0), &authority);
    let keys = |n: usize| format!("{{tag{n}}}counter");
    let mut counters: Vec<_> = (0..30).map(|n| Counter::new(&link, keys(n))).collect();
    for counter in &mut counters {
        assert_eq!(counter.add().await, Ok(1));
    }
    let whoami = cmd("ACL").arg("WHOAMI").to_owned();
    let mut user = link.read_one("whoami", whoami).await.expect("answers");
    assert_eq!(user.word(), Ok("buyer".into()));
    link.subscribe(&["news".into()]).await.expect("subscribes");
    let mut wait = cmd("BLPOP");
    wait.arg("list").arg("0.01");
    let waited = Duration::from_millis(10);
    let answer = link.blocking().run(wait, waited, None).await;
    assert_eq!(answer.expect("answers").0, redis::Value::Nil);

    let moving = (0..30).find(|n| cluster.primary_of(&keys(*n)) == 0);
    let moving = moving.expect("a key for each node");
    let slot: u16 = cluster
        .node(0)
        .query(&["CLUSTER", "KEYSLOT", &keys(moving)]);
    let moved = tokio::task::spawn_blocking(move || {
        cluster.move_slot(slot, 0, 2);
        cluster
    });
    let counter = &mut counters[moving];
    while !moved.is_finished() {
        counter.add().await.expect("a redirection is followed");
    }
    let _cluster = moved.await.expect("the slot moves");
    counter.add().await.expect("the new node serves");
}

#[tokio::test]
async fn a_node_must_announce_what_its_certificate_names() {
    let authority = Authority::new();
    let trusted = authority.file();
    let settings = [
        "--tls-ca-cert-file",
        trusted.to_str().expect("a path in UTF-8"),
        "--bind",
        "127.0.0.1",
        "127.0.0.2",
        "--cluster-enabled",
        "yes",
        "--tls-cluster",
        "yes",
        "--cluster-announce-ip",
        "127.0.0.2",
    ];
    // For localhost and 127.0.0.1.
    let (node, port) = PrivateRedis::start_with_tls(&authority.server(), &settings);
    set_password(&node, PASSWORD);
    node.run(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    until("the cluster forms", async || {
        let info: String = node.query(&["CLUSTER", "INFO"]);
        info.contains("cluster_state:ok")
    })
    .await;
    let url = format!("rediss://127.0.0.1:{port}?cluster=true");
    let refused = refusal(&link(&url, &authority)).await;
    assert_eq!(
        (refused.server, refused.reason, refused.setting),
        (
            format!("127.0.0.2:{port}"),
            RefusalReason::OtherName,
            "REDIS_URL"
        )
    );

    node.run(&["CONFIG", "SET", "cluster-announce-hostname", "localhost"]);
    let preferred = "cluster-preferred-endpoint-type";
    node.run(&["CONFIG", "SET", preferred, "hostname"]);
    let link = link(&url, &authority);
    assert_eq!(Counter::new(&link, "key").add().await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_are_used_over_tls_with_a_login() {
    let authority = Authority::new();
    let set = PrivateSentinel::start_with_tls(&authority, "buyer", PASSWORD);
    let link = link(&set.url(), &authority);
    let mut counter = Counter::new(&link, "key");
    counter.add().await.expect("the primary serves");
    let whoami = cmd("ACL").arg("WHOAMI").to_owned();
    let mut user = link.read_one("whoami", whoami).await.expect("answers");
    assert_eq!(user.word(), Ok("buyer".into()));

    fail_over(&set).await;
    counter.add_soon().await;
    assert_eq!(counter.seen, 2);
    let value: u64 = set.replica.query(&["GET", "key"]);
    assert_eq!(value, 2);
}
