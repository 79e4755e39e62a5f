//! Dead-letter streams of a Redis are counted over one connection.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use serde_json::Value;
use tempfile::TempDir;
use testkit::net::free_address;
use testkit::relay::Relay;
use testkit::{eventually, eventually_within};

use crate::kafka_fixture;
use crate::parked::usher;
use crate::support::{project, usher_up};

/// Dead-letter streams with one entry each, and an application whose Redis is behind a relay.
struct DeadStreams {
    redis: MultiplexedConnection,
    relay: Relay,
    names: Vec<String>,
    project: TempDir,
}

impl DeadStreams {
    async fn new(count: usize) -> Self {
        let url = testkit::servers::cache_url();
        let (_, port) = url.rsplit_once(':').unwrap();
        let relay = Relay::start(port.parse().unwrap()).await;
        let client = redis::Client::open(url.as_str()).unwrap();
        let redis = client.get_multiplexed_async_connection().await.unwrap();
        let prefix = format!("host-{}", kafka_fixture::random());
        let project = project(
            "Transform: AWS::Serverless-2016-10-31\nResources:\n  Echo:\n    \
             Type: AWS::Serverless::Function\n    Properties:\n      \
             Runtime: provided.al2023\n      CodeUri: built\n",
        );
        let settings = format!(
            "[endpoints]\nredis = 'redis://127.0.0.1:{}'\n",
            relay.port()
        );
        std::fs::write(project.path().join("usher.toml"), settings).unwrap();
        let mut streams = Self {
            redis,
            relay,
            names: (0..count).map(|n| format!("{prefix}:{n}-dead")).collect(),
            project,
        };
        streams.park_in_each().await;
        streams
    }

    async fn park_in_each(&mut self) {
        for stream in &self.names {
            redis::cmd("XADD")
                .arg(&[stream, "*", "dead:id", "5-0"])
                .query_async::<()>(&mut self.redis)
                .await
                .unwrap();
        }
    }

    async fn remove(mut self) {
        redis::cmd("DEL")
            .arg(&self.names)
            .query_async::<()>(&mut self.redis)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_are_counted_over_one_connection() {
    let streams = DeadStreams::new(5).await;
    let listed = usher(streams.project.path(), &["parked", "list"]);
    for stream in &streams.names {
        assert!(listed.contains(stream), "{stream} is missing from {listed}");
    }
    assert_eq!(streams.relay.accepted(), 1);
    streams.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_continue_after_their_connection_broke() {
    let mut streams = DeadStreams::new(1).await;
    let control = free_address().to_string();
    let host = usher_up(
        streams.project.path(),
        &["--listen", "127.0.0.1:0", "--control", &control],
    );
    let url = format!("http://{control}/_usher/parked");
    let count = async |stream: &str| {
        let counts: Value = reqwest::get(&url).await.ok()?.json().await.ok()?;
        let mut counts = counts.as_array()?.iter();
        counts.find(|count| count["place"] == stream)?["count"].as_u64()
    };
    let name = streams.names[0].clone();
    eventually("the entry is counted", async || {
        count(&name).await.filter(|count| *count == 1)
    })
    .await;
    streams.relay.disconnect().await;
    streams.park_in_each().await;
    // well before the next regular search
    let limit = Duration::from_secs(30);
    eventually_within(limit, "both entries are counted", async || {
        count(&name).await.filter(|count| *count == 2)
    })
    .await;
    drop(host);
    streams.remove().await;
}
