//! Batches of the queue over real Redis: floors, redelivery and notifications.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cache_invalidator::{Invalidator, Settings};
use lambda_batch::SqsBatch;
use redis_link::Link;
use serde_json::{Value, json};
use shared::access::Access;
use shared::cache::{PutResult, SharedCache, SharedLookup};
use shared::config::Reader;
use shared::message::{Cents, ProgramChanged, ProgramId, ProgramVersion, Shard};
use shared::naming::Names;
use shared::sale::{NewCategory, NewProgram, Program};
use testkit::servers::cache_url;
use testkit::suite::run_on_cluster;

struct TestEnvironment {
    names: Names,
    cache: SharedCache,
}

impl TestEnvironment {
    fn open() -> Self {
        let names = Names::new(&testkit::prefix()).expect("a valid prefix");
        let link = Link::open(&cache_url(), Duration::from_secs(5)).expect("a usable address");
        Self {
            cache: SharedCache::new(link, names.clone()),
            names,
        }
    }

    fn invalidator(&self, url: &str) -> Arc<Invalidator> {
        let vars = [
            ("ENV_PREFIX", self.names.prefix()),
            ("REDIS_CACHE_URL", url),
        ];
        Invalidator::open(
            Settings::read(&Reader::new(vars)).expect("settings of a test are valid"),
            &Access::default(),
        )
        .expect("opens")
    }

    /// Handles a batch and returns the messages to deliver again.
    async fn handle(&self, bodies: &[Value]) -> Vec<String> {
        self.handle_at(&cache_url(), bodies).await
    }

    async fn handle_at(&self, url: &str, bodies: &[Value]) -> Vec<String> {
        let record = |(n, body): (usize, &Value)| {
            let body = body
                .as_str()
                .map_or_else(|| body.to_string(), str::to_owned);
            json!({ "messageId": format!("m{n}"), "body": body, "eventSource": "aws:sqs", "attributes": {} })
        };
        let records: Vec<Value> = bodies.iter().enumerate().map(record).collect();
        let batch: SqsBatch =
            serde_json::from_value(json!({ "Records": records })).expect("an event");
        let deadline = SystemTime::now() + Duration::from_secs(60);
        let failures = self.invalidator(url).handle(&batch, deadline).await;
        failures
            .items
            .into_iter()
            .map(|item| item.identifier)
            .collect()
    }

    #[allow(clippy::unused_async, reason = "the tests need no other form")]
    async fn evicted(&self) -> Vec<(String, String)> {
        let stream = self.names.stream("program-evicted");
        let entries: Vec<(String, HashMap<String, String>)> =
            testkit::redis::query(&cache_url(), &["XRANGE", &stream, "-", "+"])
                .expect("the cache Redis runs (scripts/servers start cache)");
        entries
            .into_iter()
            .map(|(_, fields)| (fields["id"].clone(), fields["version"].clone()))
            .collect()
    }

    /// Puts a version of a program into the cache, as a reader does.
    async fn keep(&self, id: i64, version: i64) -> PutResult {
        let Ok(SharedLookup::Miss(lease)) = self
            .cache
            .get(ProgramId::new(id).expect("valid"), rand::random())
            .await
        else {
            panic!("program {id} is kept")
        };
        let found = program(id, version);
        self.cache
            .put(found.id, &lease, Some(&found), Duration::from_secs(60))
            .await
            .expect("Redis runs")
    }

    async fn is_kept(&self, id: i64) -> bool {
        let looked = self
            .cache
            .get(ProgramId::new(id).expect("valid"), rand::random())
            .await;
        matches!(looked, Ok(SharedLookup::Hit(Some(_))))
    }
}

impl Drop for TestEnvironment {
    fn drop(&mut self) {
        if let Err(error) = testkit::redis::remove_keys(&cache_url(), self.names.prefix()) {
            eprintln!("keys of {} are left behind: {error}", self.names);
        }
    }
}

fn program(id: i64, version: i64) -> Program {
    let category = NewCategory {
        name: "A".into(),
        rows: 1,
        row_len: 1,
        price: Cents::new(1).expect("valid"),
    };
    let new = NewProgram::new("T".into(), vec![category], 900_000, 1).expect("valid");
    let stored = new.stored(
        ProgramId::new(id).expect("valid"),
        Shard::new(0).expect("valid"),
    );
    Program {
        version: ProgramVersion::new(version).expect("valid"),
        ..stored
    }
}

fn entry(id: &str, version: &str) -> Value {
    json!({ "stream": "program-changed", "id": "1795370400000-0", "fields": { "id": id, "version": version, "traceparent": "t" } })
}

#[tokio::test]
async fn a_change_evicts_and_refuses_older_versions() {
    let env = TestEnvironment::open();
    assert_eq!(
        (env.keep(7, 1).await, env.keep(8, 5).await),
        (PutResult::Stored, PutResult::Stored)
    );
    assert_eq!(
        env.handle(&[entry("7", "2"), entry("8", "5")]).await,
        Vec::<String>::new()
    );
    assert!(!env.is_kept(7).await && env.is_kept(8).await);
    assert_eq!(env.keep(7, 1).await, PutResult::Old);
    let pair = |id: &str, version: &str| (id.to_owned(), version.to_owned());
    assert_eq!(env.evicted().await, [pair("7", "2"), pair("8", "5")]);
}

#[tokio::test]
async fn malformed_messages_fail_alone_every_time() {
    let env = TestEnvironment::open();
    let other = json!({ "stream": "orders", "id": "1-0", "fields": { "id": "7", "version": "2" } });
    let batch = [
        json!("no JSON"),
        entry("7", "2"),
        entry("0", "2"),
        other,
        entry("7", "x"),
        json!(null),
        entry("8", "1"),
    ];
    for _ in 0..2 {
        assert_eq!(env.handle(&batch).await, ["m0", "m2", "m3", "m4", "m5"]);
    }
    assert_eq!(env.evicted().await.len(), 4, "7 and 8, twice");
}

#[tokio::test]
async fn redelivery_notifies_after_a_crash_behind_the_floor() {
    let env = TestEnvironment::open();
    env.keep(7, 1).await;
    let change = ProgramChanged {
        id: ProgramId::new(7).expect("valid"),
        version: ProgramVersion::new(2).expect("valid"),
    };
    // The process died here.
    env.cache.raise(change).await.expect("Redis runs");
    assert_eq!(env.evicted().await, []);
    assert_eq!(env.handle(&[entry("7", "2")]).await, Vec::<String>::new());
    assert_eq!(env.evicted().await, [("7".to_owned(), "2".to_owned())]);
}

#[tokio::test]
async fn the_greatest_version_wins_in_any_order() {
    let env = TestEnvironment::open();
    assert_eq!(
        env.handle(&[entry("7", "3"), entry("7", "2"), entry("7", "3")])
            .await,
        Vec::<String>::new()
    );
    assert_eq!(env.handle(&[entry("7", "1")]).await, Vec::<String>::new());
    assert_eq!(env.keep(7, 2).await, PutResult::Old);
    assert_eq!(env.keep(7, 3).await, PutResult::Stored);
}

#[tokio::test]
async fn without_redis_every_change_is_delivered_again() {
    let env = TestEnvironment::open();
    let nowhere = testkit::net::free_address().port();
    let batch = [
        entry("7", "2"),
        json!("no JSON"),
        entry("8", "2"),
        entry("9", "2"),
    ];
    assert_eq!(
        env.handle_at(&format!("redis://127.0.0.1:{nowhere}"), &batch)
            .await,
        ["m0", "m1", "m2", "m3"]
    );
    assert_eq!(env.handle(&batch).await, ["m1"]);
}

#[test]
fn all_problems_are_reported_together() {
    let vars = [
        ("ENV_PREFIX", "Demo!"),
        ("REDIS_CACHE_URL", "http://127.0.0.1"),
        ("PROGRAM_STREAM_KEEP", "0"),
        ("CACHE_TIMEOUT_MS", "x"),
    ];
    let problems = Settings::read(&Reader::new(vars))
        .expect_err("nothing is right")
        .to_string();
    for (name, _) in vars {
        assert!(
            problems.contains(name),
            "{name} is not reported:\n{problems}"
        );
    }
}

#[test]
fn every_batch_is_handled_on_a_cluster() {
    let others = ["--skip", "on_a_cluster"];
    run_on_cluster(&others, &["CACHE_URL"]);
}
