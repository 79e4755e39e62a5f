//! Streams of a cluster, and of a primary that Sentinels name: read, parked and replayed.

use testkit::eventually;
use testkit::redis_cluster::PrivateCluster;
use testkit::redis_sentinel::PrivateSentinel;

use crate::redis_streams_fixture::StreamFixture;

const NO_RETRY: &str = "maximum-retry-attempts = 0";

/// Adds an entry that fails once, waits for its dead letter, replays it and waits for its success.
async fn parked_and_replayed(fixture: &StreamFixture, name: &str) {
    let poison = format!("partial-once:{}", fixture.marker(name));
    let before = fixture.seen().iter().filter(|seen| seen.done).count();
    fixture.add(&[poison.as_str(), "good"]);
    eventually("a dead letter", async || fixture.dead_letters().pop()).await;
    fixture.eventually_done(before + 1).await;
    let dead_key = fixture.dead_key();
    let listed = fixture.host.said(&["parked", "list"]);
    assert!(listed.contains(&dead_key), "{listed}");
    let shown = fixture.host.said(&["parked", "show", &dead_key]);
    assert!(shown.contains("failed in 1 attempts"), "{shown}");
    fixture.host.said(&["parked", "replay", &dead_key]);
    fixture.eventually_done(before + 2).await;
    assert_eq!(fixture.dead_letters(), Vec::<Vec<String>>::new());
    fixture.eventually_empty().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_a_cluster_is_read_parked_and_replayed() {
    let cluster = PrivateCluster::start(3, 0);
    let mut fixture = StreamFixture::at(&cluster.url(), &testkit::prefix(), NO_RETRY);
    fixture.host.up().await;
    parked_and_replayed(&fixture, "poison").await;
    let doctor = fixture.host.usher(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(!said.contains("cannot be used"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_read_on_after_sentinels_have_named_another_primary() {
    let set = PrivateSentinel::start();
    let prefix = testkit::prefix();
    let mut fixture = StreamFixture::reached(&set.url(), &set.primary.url(), &prefix, NO_RETRY);
    fixture.host.up().await;
    parked_and_replayed(&fixture, "before").await;
    set.primary.wait_for_replicas();
    set.fail_over();
    set.wait_for_failover();
    fixture.commands = set.replica.url();
    parked_and_replayed(&fixture, "after").await;
}

#[test]
fn a_stream_without_a_hash_tag_is_refused_for_a_cluster() {
    let fixture = StreamFixture::at("redis://127.0.0.1:1?cluster=true", "untagged", "");
    let file = fixture.host.path().join("usher.toml");
    let settings = std::fs::read_to_string(&file).unwrap();
    let untagged = settings.replace(&fixture.key(), "things");
    assert_ne!(untagged, settings);
    std::fs::write(&file, untagged).unwrap();
    let refused = fixture.host.usher(&["up"]);
    assert!(!refused.status.success(), "{refused:?}");
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("the stream things has no hash tag"), "{why}");
}
