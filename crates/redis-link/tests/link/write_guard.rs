//! Whether a primary that loses its replicas stops taking writes.

use redis_link::{Link, WriteGuard};
use testkit::redis::PrivateRedis;
use testkit::until;

use super::TIMEOUT;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_with_replicas_needs_its_settings() {
    let (primary, link) = tokio::task::block_in_place(|| {
        let primary = PrivateRedis::start(&["--repl-diskless-sync-delay", "0"]);
        let link = Link::open(&primary.url(), TIMEOUT).expect("a usable address");
        (primary, link)
    });
    let guard = async || link.write_guard().await.expect("answers");
    assert_eq!(guard().await, WriteGuard::NoReplicas);
    let port = primary.port().to_string();
    let mut replica = tokio::task::block_in_place(|| {
        let replica = PrivateRedis::start(&["--replicaof", "127.0.0.1", &port]);
        primary.wait_for_replicas();
        replica
    });
    assert_eq!(guard().await, WriteGuard::Unguarded { replicas: 1 });
    // Without a bound of the lag the other setting has no effect.
    let set = |name: &str, value: &str| {
        tokio::task::block_in_place(|| primary.run(&["CONFIG", "SET", name, value]));
    };
    set("min-replicas-max-lag", "0");
    set("min-replicas-to-write", "1");
    assert_eq!(guard().await, WriteGuard::Unguarded { replicas: 1 });
    set("min-replicas-max-lag", "10");
    assert_eq!(guard().await, WriteGuard::Guarded);
    tokio::task::block_in_place(|| replica.kill());
    until("the primary has lost its replica", async || {
        let info: String = primary.query(&["INFO", "replication"]);
        info.contains("connected_slaves:0")
    })
    .await;
    assert_eq!(guard().await, WriteGuard::Guarded, "and takes no writes");
}
