//! A stream whose Redis is away or refuses: the status names it, and reading goes on.

use testkit::redis::PrivateRedis;

use crate::redis_streams_fixture::StreamFixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_redis_is_away_and_then_read_on() {
    let mut redis = PrivateRedis::start(&[]);
    let mut fixture = StreamFixture::at(&redis.url(), &testkit::prefix(), "");
    fixture.add(&["before"]);
    fixture.host.up().await;
    fixture.eventually_done(1).await;
    fixture.eventually_empty().await;
    redis.run(&["SAVE"]);
    redis.kill();
    let away = fixture.host.eventually("streams", "away").await;
    assert!(
        away["problem"].to_string().contains("cannot be read"),
        "{away}"
    );
    redis.start_again();
    fixture.host.eventually("streams", "ok").await;
    fixture.add(&["after"]);
    let seen = fixture.eventually_done(2).await;
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_type_is_stuck_until_it_is_removed() {
    let mut fixture = StreamFixture::new("");
    fixture.host.up().await;
    fixture.add(&["before"]);
    fixture.eventually_done(1).await;
    fixture.eventually_empty().await;
    let _: String = fixture.redis(&["SET", &fixture.key(), "text"]);
    let stuck = fixture.host.eventually("streams", "stuck").await;
    assert!(
        stuck["problem"].to_string().contains("another type"),
        "{stuck}"
    );
    let refused = fixture.host.usher(&["doctor"]);
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(said.contains("is a string, not a stream"), "{said}");
    let _: u64 = fixture.redis(&["DEL", &fixture.key()]);
    fixture.add(&["after"]);
    fixture.eventually_done(2).await;
    fixture.host.eventually("streams", "ok").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_hold_is_over_once_nothing_is_held() {
    let redis = PrivateRedis::start(&[]);
    let keys = "take-over-after = 1";
    let mut fixture = StreamFixture::at(&redis.url(), &testkit::prefix(), keys);
    let go = fixture.marker("go");
    fixture.add(&[format!("wait-for:{go}")]);
    fixture.host.up().await;
    fixture
        .eventually_status("the entry is in flight", |status| status["in_flight"] == 1)
        .await;
    redis.run(&["ACL", "SETUSER", "default", "-xclaim"]);
    let stuck = fixture.host.eventually("streams", "stuck").await;
    assert!(stuck["problem"].to_string().contains("ACL"), "{stuck}");
    std::fs::write(&go, "").unwrap();
    fixture.eventually_empty().await;
    fixture.host.eventually("streams", "ok").await;
}
