//! Functions, scripts, and the eviction policy.

use std::sync::LazyLock;

use redis_link::{Call, Eviction, Link, Script};
use testkit::redis::PrivateRedis;

use crate::TIMEOUT;

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

/// Counts its calls, by `STEP`.
fn counter(step: u32) -> Script {
    let body =
        format!("#!lua flags=allow-oom\n--@function\n--@include counter\nreturn count({step})");
    let fragment = "local counted = 0
local function count(by)
  counted = counted + by
  return counted
end";
    Script::new("test/counter", &body, &[("counter", fragment)])
}

static ONES: LazyLock<Script> = LazyLock::new(|| counter(1));
static TENS: LazyLock<Script> = LazyLock::new(|| counter(10));

async fn count(link: &Link, script: &'static Script) -> u32 {
    let mut reply = link.run(Call::new(script, "key")).await.expect("runs");
    reply.parse().expect("a number")
}

#[tokio::test]
async fn versions_of_a_function_live_beside_each_other() {
    let server = PrivateRedis::start(&[]);
    let link = Link::open(&server.url(), TIMEOUT).expect("a usable address");
    for n in 1..=3 {
        assert_eq!(count(&link, &ONES).await, n);
        assert_eq!(count(&link, &TENS).await, 10 * n);
    }
    server.run(&["FUNCTION", "FLUSH"]);
    let calls = vec![Call::new(&ONES, "key"), Call::new(&TENS, "key")];
    for (reply, first) in link
        .run_all(calls)
        .await
        .expect("runs")
        .into_iter()
        .zip([1, 10])
    {
        assert_eq!(reply.and_then(|mut reply| reply.parse::<u32>()), Ok(first));
    }
}

/// Returns the collector's step multiplier, and changes it.
static COLLECTOR: LazyLock<Script> = LazyLock::new(|| {
    let body = "#!lua\n--@function\nreturn { collectgarbage('setstepmul', 321) }";
    Script::new("test/collector", body, &[])
});

#[tokio::test]
async fn functions_collect_in_shorter_steps() {
    let server = PrivateRedis::start(&[]);
    let link = Link::open(&server.url(), TIMEOUT).expect("a usable address");
    for found in [150, 321] {
        let mut reply = link.run(Call::new(&COLLECTOR, "key")).await.expect("runs");
        assert_eq!(reply.parse::<u32>(), Ok(found), "once for each library");
    }
}

#[tokio::test]
async fn a_full_server_that_takes_no_function_runs_the_script() {
    let server = PrivateRedis::start(&["--maxmemory", "1"]);
    let link = Link::open(&server.url(), TIMEOUT).expect("a usable address");
    for _ in 0..2 {
        assert_eq!(count(&link, &ONES).await, 1, "a script remembers nothing");
    }
    server.run(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(count(&link, &ONES).await, 1);
    assert_eq!(count(&link, &ONES).await, 2);
}
