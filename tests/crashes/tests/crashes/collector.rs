//! api-data-collector, killed at each await: redelivered calls count once.

use std::ops::Range;

use api_data_collector::{Collector, Settings};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_batch::KafkaBatch;
use serde_json::{Value, json};
use shared::access::Access;
use shared::config::Reader;
use shared::naming::Names;
use shared::store::Store;
use sqlx::{AssertSqlSafe, PgPool};

use crate::dying::{at_waits, killed_after, whole};

/// Log-append time of the first record: far in the future, so that no record is too old to keep.
const APPENDED_MS: i64 = 4_000_000_000_000;
/// Every await of a batch is tested.
const EVERY: usize = 40;
/// Every so many offsets hold an unreadable record.
const POISON: usize = 50;

/// A topic of two partitions in memory, and a schema in Postgres.
struct CollectorEnvironment {
    vars: Vec<(&'static str, String)>,
    topic: String,
    raw: PgPool,
}

impl CollectorEnvironment {
    async fn open() -> Self {
        let database = testkit::servers::database_url();
        let prefix = testkit::prefix();
        let vars = vec![("ENV_PREFIX", prefix), ("DATABASE_URL", database.clone())];
        let names = names(&vars);
        let store = Store::connect(&database, &names, 1).expect("a database URL");
        store
            .migrate()
            .await
            .expect("PostgreSQL is needed: `scripts/servers start postgres`, or set DATABASE_URL");
        store.disconnect().await;
        let raw = testkit::postgres::pool(&names.schema());
        Self {
            vars,
            topic: names.topic("api-call"),
            raw,
        }
    }

    /// A new process, so that its connections end with it.
    fn collector(&self) -> Collector {
        Collector::open(
            Settings::read(&Reader::new(self.vars.clone())).expect("settings"),
            &Access::default(),
        )
        .expect("lazy")
    }

    /// The event with a slice of each partition.
    fn event(&self, slices: &[Range<usize>]) -> KafkaBatch {
        let record = |partition: usize, offset: usize| {
            let value = if offset % POISON == POISON - 1 {
                "poison".to_owned()
            } else {
                call(partition, offset)
            };
            json!({
                "topic": self.topic, "partition": partition, "offset": offset,
                    "timestamp": APPENDED_MS + offset as i64,
                "timestampType": "LOG_APPEND_TIME", "key": null, "value": STANDARD.encode(value),
                    "headers": [],
            })
        };
        let partitions: serde_json::Map<String, Value> = slices
            .iter()
            .enumerate()
            .map(|(p, slice)| {
                (
                    format!("{}-{p}", self.topic),
                    slice.clone().map(|offset| record(p, offset)).collect(),
                )
            })
            .collect();
        serde_json::from_str(
            &json!({"eventSource": "SelfManagedKafka", "bootstrapServers": "b",
                "records": partitions})
            .to_string(),
        )
        .expect("a batch")
    }

    /// Delivers a batch without a kill.
    async fn deliver(&self, slices: &[Range<usize>]) {
        let failures = self.collector().handle(&self.event(slices)).await;
        assert_eq!(
            serde_json::to_value(failures).expect("JSON"),
            json!({"batchItemFailures": []})
        );
    }

    async fn number(&self, sql: &'static str) -> usize {
        let number: i64 = sqlx::query_scalar(sql)
            .fetch_one(&self.raw)
            .await
            .expect("a number");
        usize::try_from(number).expect("no sum is negative")
    }

    /// Checks that both partitions are read up to `end` and every record is counted, stored or
    /// parked once.
    async fn check(&self, end: usize) {
        let poison = 2 * (end / POISON);
        assert_eq!(
            self.number("SELECT coalesce(sum(calls), 0)::bigint FROM api_minutes")
                .await,
            2 * end - poison,
            "counted"
        );
        assert_eq!(
            self.number("SELECT count(*) FROM api_calls").await,
            2 * end - poison,
            "kept"
        );
        assert_eq!(
            self.number("SELECT count(DISTINCT id) FROM api_calls")
                .await,
            2 * end - poison,
            "different"
        );
        let time = "SELECT abs((SELECT sum(duration_us) FROM api_minutes) \
            - (SELECT sum(duration_us) FROM api_calls))::bigint";
        assert_eq!(self.number(time).await, 0, "time");
        assert_eq!(
            self.number("SELECT count(*) FROM parked").await,
            poison,
            "parked"
        );
    }

    async fn clear(self) {
        let schema = names(&self.vars).schema();
        sqlx::raw_sql(AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE")))
            .execute(&self.raw)
            .await
            .expect("dropped");
    }
}

fn names(vars: &[(&'static str, String)]) -> Names {
    let reader = Reader::new(vars.iter().cloned());
    reader.finish(|| reader.names()).expect("a prefix")
}

fn call(partition: usize, offset: usize) -> String {
    json!({
        "v": 1, "id": format!("{partition:016x}{offset:016x}"),
            "at_ms": APPENDED_MS - 40_000 * (offset % 4) as i64, "method": "GET",
        "route": format!("/r{}", offset % 3), "url": format!("/{offset}"),
            "status": 200 + offset % 2, "duration_us": offset * 311,
        "client": format!("c{}", offset % 2), "instance": "i",
    })
    .to_string()
}

#[tokio::test]
async fn the_collector_may_die_between_any_steps() {
    let env = CollectorEnvironment::open().await;
    let mut end = 0;
    let round = async |waits| {
        let slices = [end..end + 60, end..end + 60];
        let died = killed_after(waits, env.collector().handle(&env.event(&slices))).await;
        env.deliver(&slices).await;
        end += 60;
        env.check(end).await;
        whole(died)
    };
    assert!(at_waits(EVERY, round).await >= 10, "it has more awaits");
    env.clear().await;
}

#[tokio::test]
async fn twenty_kills_and_rewinds_keep_the_sums() {
    let env = CollectorEnvironment::open().await;
    let mut seed = 0x5eed_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize % below
    };
    let mut ends = [0, 0];
    let mut kills = 0;
    while kills < 20 {
        // Random rewinds of the group, and random batch sizes.
        let slices = ends.map(|end: usize| end.saturating_sub(random(150))..end + 1 + random(120));
        let dying = env.collector();
        if killed_after(1 + random(60), dying.handle(&env.event(&slices)))
            .await
            .is_none()
        {
            kills += 1;
            // The next process is sometimes killed as well.
            if random(3) == 0 {
                continue;
            }
            env.deliver(&slices).await;
        }
        ends = slices.map(|slice| slice.end);
    }
    let end = *ends.iter().max().expect("two");
    assert!(end > 500, "it made progress: {ends:?}");
    // A new group: everything is delivered again, from the first record.
    for from in (0..end).step_by(100) {
        let slice = from..(from + 100).min(end);
        env.deliver(&[slice.clone(), slice]).await;
    }
    env.check(end).await;
    env.clear().await;
}
