//! A primary that Sentinels name.

use redis::{RedisResult, Value};
use redis_link::{Link, LinkError};
use testkit::redis::query;
use testkit::redis_sentinel::PrivateSentinel;

use crate::TIMEOUT;
use crate::counter::Counter;

/// Replaces the primary in order. The old one still answers, as a replica.
pub(crate) async fn fail_over(set: &PrivateSentinel) {
    set.primary.wait_for_replicas();
    set.fail_over();
    set.wait_for_failover();
    testkit::until("the old primary is a replica", async || {
        // The Sentinel closes the connections to a server that it demotes, also this one.
        let role: RedisResult<Vec<Value>> = query(&set.primary.url(), &["ROLE"]);
        role.is_ok_and(|role| role[0] == Value::BulkString(b"slave".to_vec()))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_failover_is_followed() {
    let set = PrivateSentinel::start();
    let link = Link::open(&set.url(), TIMEOUT).expect("a usable address");
    let mut counter = Counter::new(&link, "key");
    counter.add().await.expect("the primary serves");
    fail_over(&set).await;
    counter.add_soon().await;
    assert_eq!(counter.seen, 2);
    let value: u64 = set.replica.query(&["GET", "key"]);
    assert_eq!(value, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_is_replaced() {
    let mut set = PrivateSentinel::start();
    let link = Link::open(&set.url(), TIMEOUT).expect("a usable address");
    let mut counter = Counter::new(&link, "key");
    counter.add().await.expect("the primary serves");
    set.primary.wait_for_replicas();
    set.primary.kill();
    counter.add_soon().await;
    assert_eq!(counter.seen, 2);
}

#[tokio::test]
async fn a_name_that_no_sentinel_knows_is_named() {
    let set = PrivateSentinel::start();
    let url = set.url().replace("sentinel=gate", "sentinel=other");
    let link = Link::open(&url, TIMEOUT).expect("a usable address");
    let failed = Counter::new(&link, "key").add().await;
    assert!(
        matches!(&failed, Err(LinkError::Unavailable(text)) if text.contains("other")),
        "{failed:?}"
    );
}
