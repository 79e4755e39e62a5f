//! Rate limits in the Redis of caches.

use std::time::Duration;

use futures::future::join_all;
use redis_link::Link;
use shared::limits::{RateDecision, RateLimit, RateLimiter};
use testkit::redis::PrivateRedis;

use super::cache::environment::TestEnvironment;

/// One request a minute comes back.
fn slow(burst: u32) -> RateLimit {
    RateLimit::new(1, burst).expect("a limit")
}

fn limiter(env: &TestEnvironment) -> RateLimiter {
    RateLimiter::new(env.link.clone(), env.names.clone())
}

async fn take(limiter: &RateLimiter, limits: &[(&str, RateLimit)]) -> RateDecision {
    limiter.take(limits).await.expect("answers")
}

#[tokio::test]
async fn a_burst_is_taken_once_however_many_take_it() {
    let env = TestEnvironment::open();
    let limiter = limiter(&env);
    let limits = [("order:buyer:ann", slow(10))];
    let taken = join_all((0..50).map(|_| take(&limiter, &limits))).await;
    let yes = taken
        .iter()
        .filter(|taken| **taken == RateDecision::Allowed)
        .count();
    assert_eq!(yes, 10, "{taken:?}");
    for taken in taken {
        if let RateDecision::Refused(wait) = taken {
            assert!(
                wait > Duration::from_secs(1) && wait <= Duration::from_mins(1),
                "{wait:?}"
            );
        }
    }
    assert_eq!(
        take(&limiter, &[("order:buyer:bob", slow(1))]).await,
        RateDecision::Allowed
    );
}

#[tokio::test]
async fn a_request_that_one_limit_refuses_takes_nothing_of_another() {
    let env = TestEnvironment::open();
    let limiter = limiter(&env);
    let (buyer, address) = (("order:buyer:ann", slow(2)), ("order:address:a", slow(3)));
    for _ in 0..2 {
        assert_eq!(
            take(&limiter, &[buyer, address]).await,
            RateDecision::Allowed
        );
    }
    for _ in 0..5 {
        assert!(matches!(
            take(&limiter, &[buyer, address]).await,
            RateDecision::Refused(_)
        ));
    }
    assert_eq!(
        take(&limiter, &[address]).await,
        RateDecision::Allowed,
        "of three, two were taken"
    );
    assert!(matches!(
        take(&limiter, &[address]).await,
        RateDecision::Refused(_)
    ));
}

#[tokio::test]
async fn requests_come_back_at_the_rate_and_their_keys_end() {
    let env = TestEnvironment::open();
    let limiter = limiter(&env);
    // One in 20 ms.
    let limits = [(
        "order:buyer:ann",
        RateLimit::new(3_000, 2).expect("a limit"),
    )];
    let mut refused = 0;
    for _ in 0..5 {
        while let RateDecision::Refused(wait) = take(&limiter, &limits).await {
            assert!(wait <= Duration::from_millis(20), "{wait:?}");
            refused += 1;
        }
    }
    assert!(refused > 0, "the burst is two");
    let key = env.names.rate_key("order:buyer:ann");
    let left: i64 = env.query(&["PTTL", &key]).await;
    assert!((0..=40).contains(&left) || left == -2, "{left}");
}

#[tokio::test]
async fn a_bucket_is_never_emptier_than_empty() {
    let env = TestEnvironment::open();
    let limiter = limiter(&env);
    // As after a clock that was set back by a day.
    let key = env.names.rate_key("order:buyer:ann");
    let (seconds, _): (u64, u64) = env.query(&["TIME"]).await;
    let far = ((seconds + 86_400) * 1_000_000).to_string();
    env.query::<()>(&["SET", &key, &far]).await;
    match take(&limiter, &[("order:buyer:ann", slow(5))]).await {
        RateDecision::Refused(wait) => assert_eq!(wait, Duration::from_mins(1)),
        RateDecision::Allowed => panic!("the bucket was not empty"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn limits_of_a_server_that_is_away_are_an_error_at_once() {
    let mut server = PrivateRedis::start(&[]);
    let env = TestEnvironment::at(&server.url(), Duration::from_millis(500));
    let link = Link::open(&server.url(), Duration::from_millis(500)).expect("an address");
    let limiter = RateLimiter::new(link, env.names.clone());
    let limits = [("order:buyer:ann", slow(1))];
    assert_eq!(limiter.take(&limits).await, Ok(RateDecision::Allowed));
    server.kill();
    assert!(limiter.take(&limits).await.is_err());
    let error = limiter.take(&limits).await.expect_err("away");
    assert!(error.to_string().contains("0.5 s ago"), "{error}");
    tokio::task::block_in_place(|| server.start_again());
    // The server has lost what was taken.
    testkit::until("limits are applied again", async || {
        limiter.take(&limits).await == Ok(RateDecision::Allowed)
    })
    .await;
}
