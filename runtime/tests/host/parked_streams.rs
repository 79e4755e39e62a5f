//! Dead-letter streams of a Redis that has many.

use testkit::relay::Relay;

use crate::kafka_fixture;
use crate::parked::usher;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_are_counted_over_one_connection() {
    let url = testkit::servers::cache_url();
    let (_, port) = url.rsplit_once(':').unwrap();
    let relay = Relay::start(port.parse().unwrap()).await;
    let mut redis = redis::Client::open(url.as_str())
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    let prefix = format!("host-{}", kafka_fixture::random());
    let dead: Vec<String> = (0..5).map(|n| format!("{prefix}:{n}-dead")).collect();
    for stream in &dead {
        redis::cmd("XADD")
            .arg(&[stream, "*", "dead:id", "5-0"])
            .query_async::<()>(&mut redis)
            .await
            .unwrap();
    }
    let project = tempfile::tempdir().unwrap();
    std::fs::write(
        project.path().join("template.yaml"),
        "Transform: AWS::Serverless-2016-10-31\nResources: {}\n",
    )
    .unwrap();
    std::fs::write(
        project.path().join("usher.toml"),
        format!(
            "[endpoints]\nredis = 'redis://127.0.0.1:{}'\n",
            relay.port()
        ),
    )
    .unwrap();
    let listed = usher(project.path(), &["parked", "list"]);
    for stream in &dead {
        assert!(listed.contains(stream), "{stream} is missing from {listed}");
    }
    assert_eq!(relay.accepted(), 1);
    redis::cmd("DEL")
        .arg(&dead)
        .query_async::<()>(&mut redis)
        .await
        .unwrap();
}
