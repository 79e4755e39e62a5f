//! The environment of one test: the function under test, and a direct connection to its schema.

use std::future::Future;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use api_data_collector::{Collector, Settings};
use lambda_batch::KafkaBatch;
use serde_json::{Value, json};
use shared::access::Access;
use shared::config::Reader;
use shared::naming::Names;
use shared::store::Store;
use sqlx::PgPool;
use testkit::postgres::drop_schema;
use testkit::servers::database_url;
use testkit::with_cleanup;

/// When the broker appended offset 0: a minute ago, so that no row is too old. Redelivery does not
/// change it.
static APPENDED_MS: LazyLock<i64> = LazyLock::new(|| {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    now.as_millis() as i64 - 60_000
});

/// See [`APPENDED_MS`].
pub(crate) fn appended_ms() -> i64 {
    *APPENDED_MS
}

pub(crate) struct TestEnvironment {
    collector: Collector,
    prefix: String,
    raw: PgPool,
}

/// Runs a test in a fresh, migrated schema and drops the schema however the test ends.
pub(crate) async fn with<F: Future<Output = ()> + Send + 'static>(
    test: impl FnOnce(TestEnvironment) -> F,
) {
    let prefix = testkit::prefix();
    let names = Names::new(&prefix).expect("prefix");
    let store = Store::connect(&database_url(), &names, 1).expect("a database URL");
    store
        .migrate()
        .await
        .expect("PostgreSQL is needed: `scripts/servers start postgres`, or set DATABASE_URL");
    store.disconnect().await;
    let raw = testkit::postgres::pool(&names.schema());
    let env = TestEnvironment {
        collector: collector(&prefix, &database_url()),
        prefix,
        raw,
    };
    with_cleanup(test(env), drop_schema(&names.schema())).await;
}

pub(crate) fn collector(prefix: &str, database: &str) -> Collector {
    let vars = [
        ("ENV_PREFIX", prefix),
        ("DATABASE_URL", database),
        ("API_RETENTION_LIMIT", "5"),
    ];
    Collector::open(
        Settings::read(&Reader::new(vars)).expect("settings"),
        &Access::default(),
    )
    .expect("lazy")
}

impl TestEnvironment {
    /// Another process of the function.
    pub(crate) fn another(&self) -> Collector {
        collector(&self.prefix, &database_url())
    }

    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(&self.raw)
            .await
            .expect("a number")
    }

    pub(crate) async fn run(&self, sql: &'static str) {
        sqlx::raw_sql(sql)
            .execute(&self.raw)
            .await
            .expect("statement");
    }

    /// Handles a batch and returns the partial batch response.
    pub(crate) async fn handle(&self, values: &[Option<Vec<u8>>]) -> Value {
        let batch = event(&[(0, values)]);
        serde_json::to_value(self.collector.handle(&batch).await).expect("JSON")
    }
}

/// A Kafka event with offsets from 0 in each partition.
pub(crate) fn event(partitions: &[(i32, &[Option<Vec<u8>>])]) -> KafkaBatch {
    let records = |partition: i32, values: &[Option<Vec<u8>>]| -> Vec<Value> {
        let record = |(offset, value): (usize, &Option<Vec<u8>>)| {
            let value = value
                .as_ref()
                .map(|bytes| base64_simd::STANDARD.encode_to_string(bytes));
            json!({"topic": "t-api-call", "partition": partition, "offset": offset, "timestamp": *APPENDED_MS + offset as i64,
                   "timestampType": "LOG_APPEND_TIME", "key": null, "value": value, "headers": []})
        };
        values.iter().enumerate().map(record).collect()
    };
    let partitions: serde_json::Map<_, _> = partitions
        .iter()
        .map(|(p, values)| (format!("t-api-call-{p}"), records(*p, values).into()))
        .collect();
    let event = json!({"eventSource": "SelfManagedKafka", "bootstrapServers": "localhost:9092", "records": partitions});
    serde_json::from_str(&event.to_string()).expect("a Kafka event")
}

pub(crate) fn call(n: u32) -> Vec<u8> {
    let call = json!({
        "v": 1, "id": format!("{n:032x}"), "at_ms": *APPENDED_MS, "method": "GET", "route": "/orders/{number}",
        "url": format!("/orders/{n}"), "status": 200, "duration_us": 1000 + n, "client": "curl", "instance": "i",
    });
    call.to_string().into_bytes()
}
