//! The link on real Redis.

use std::time::Duration;

use redis_link::{Eviction, Link, LinkError};
use testkit::redis::PrivateRedis;

const TIMEOUT: Duration = Duration::from_secs(2);

#[test]
fn tls_is_refused_without_its_password() {
    let refused = Link::open("rediss://user:hush@nowhere", TIMEOUT).map(drop);
    let Err(LinkError::Protocol(text)) = refused else {
        panic!("{refused:?}")
    };
    assert!(
        text.contains("TLS (rediss://), which is not built in") && !text.contains("hush"),
        "{text}"
    );
}

#[tokio::test]
async fn the_eviction_policy_is_read() {
    let server = PrivateRedis::start(&[]);
    let link = Link::open(&server.url(), TIMEOUT).expect("a usable address");
    for (policy, eviction) in [
        ("noeviction", Eviction::Nothing),
        ("volatile-lru", Eviction::Expiring),
        ("allkeys-lfu", Eviction::Anything),
    ] {
        server.run(&["CONFIG", "SET", "maxmemory-policy", policy]);
        assert_eq!(link.eviction().await, Ok((eviction, policy.to_owned())));
    }
}
