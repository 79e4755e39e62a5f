//! The environment of one test.

use std::future::Future;
use std::time::Duration;

use lambda_batch::{BatchResponse, KafkaBatch};
use order_create::{Creator, Settings};
use serde_json::{Value, json};
use shared::access::Access;
use shared::config::Reader;
use shared::gate::{
    Accepted, Epoch, FillBegun, FillClaim, FillStart, Gate, HoldRequest, OrderAt, ProgramRef,
    ReservationState, Reserved,
};
use shared::message::{Cents, Nonce, OrderNumber, OrderRequested, SeatIndex, UserId};
use shared::naming::Names;
use shared::sale::{NewCategory, NewProgram, Program, Status};
use shared::store::Store;
use testkit::postgres::drop_schema;
use testkit::with_cleanup;

/// The log-append time of the first record of a partition, ms since 1970.
const APPENDED_MS: u64 = 1_763_800_000_000;

/// The environment of one test: the function under test, and direct connections to both servers.
pub(crate) struct TestEnvironment {
    pub(crate) creator: Creator,
    pub(crate) store: Store,
    pub(crate) gate: Gate,
    pub(crate) program: Program,
    pub(crate) schema: String,
}

/// Runs a test in a fresh environment and removes it however the test ends. `redis` is the address
/// that the function uses; empty for the real one.
pub(crate) async fn with<F: Future<Output = ()> + Send + 'static>(
    redis: &str,
    test: impl FnOnce(TestEnvironment) -> F,
) {
    let prefix = testkit::prefix();
    let names = Names::new(&prefix).expect("prefix");
    let database = testkit::servers::database_url();
    let gate_url = testkit::servers::redis_url();
    let store = Store::connect(&database, &names, 2).expect("a database URL");
    store
        .migrate()
        .await
        .expect("PostgreSQL is needed: `scripts/servers start postgres`, or set DATABASE_URL");
    let gate =
        Gate::connect(&gate_url, names.clone(), Duration::from_secs(5)).expect("a Redis URL");
    gate.ping()
        .await
        .expect("Redis is needed: `scripts/servers start redis`, or set REDIS_GATE_URL");

    let category = NewCategory {
        name: "stalls".into(),
        rows: 50,
        row_len: 40,
        price: Cents::new(4_500).expect("price"),
    };
    let new = NewProgram::new("Autumn tour".into(), vec![category], 900_000, 6).expect("valid");
    let program = store.create_program(new, None).await.expect("postgres");
    let epoch = Epoch::new(rand::random());
    let claim = gate
        .install_claim(ProgramRef::from(&program), &epoch, 60_000)
        .await
        .expect("redis");
    let FillClaim::Granted(grant) = claim else {
        panic!("no grant but {claim:?}")
    };
    let start = FillStart {
        grant: &grant,
        ends: "{}",
    };
    let begun = gate
        .install_begin(&program, Some(start), &epoch, 60_000)
        .await
        .expect("redis");
    assert!(matches!(begun, FillBegun::Mine { .. }), "{begun:?}");
    assert!(
        gate.install_open(ProgramRef::from(&program), &epoch)
            .await
            .expect("redis")
    );

    let redis = if redis.is_empty() {
        gate_url.as_str()
    } else {
        redis
    };
    let reader = Reader::new([
        ("ENV_PREFIX", prefix.as_str()),
        ("DATABASE_URL", &database),
        ("REDIS_GATE_URL", redis),
    ]);
    let creator = Creator::open(
        Settings::read(&reader).expect("settings"),
        &Access::default(),
    )
    .expect("lazy");
    let env = TestEnvironment {
        creator,
        store: store.clone(),
        gate,
        program,
        schema: names.schema(),
    };
    with_cleanup(test(env), async {
        store.disconnect().await;
        drop_schema(&names.schema()).await;
    })
    .await;
}

impl TestEnvironment {
    pub(crate) fn order(&self, user: &str, seats: &[u32]) -> OrderRequested {
        // Up to two weeks before its record is appended.
        let made_at_ms = APPENDED_MS - rand::random_range(0..1 << 30);
        let number = OrderNumber::compose(made_at_ms, self.program.shard, rand::random());
        let category = &self.program.categories[0];
        OrderRequested {
            v: 1,
            order: number.expect("number"),
            nonce: Nonce::new(rand::random()),
            user: UserId::new(user).expect("user"),
            program: self.program.id,
            category: category.no,
            seats: seats
                .iter()
                .map(|seat| SeatIndex::new(*seat).expect("seat"))
                .collect(),
            unit_price_cents: category.price,
            amount_cents: category.price.times(seats.len()).expect("amount"),
            idempotency_key: None,
            idempotency_hash: None,
            pay_by_ms: 4_000_000_000_000,
            trace: None,
        }
    }

    /// Reserves the seats of an order in the gate, as storefront does.
    pub(crate) async fn reserve(&self, order: &OrderRequested) {
        let wish = HoldRequest::of_message(order, 1_000, 30_000, 60_000);
        let held = self.gate.reserve(&wish).await.expect("redis");
        assert!(matches!(held, Reserved::Held { .. }), "{held:?}");
    }

    /// Accepts a reserved order, as storefront does once its message is published.
    pub(crate) async fn accept(&self, order: &OrderRequested, due_in_ms: u64) {
        let at = OrderAt {
            order: order.order,
            nonce: order.nonce,
            program: ProgramRef::from(&self.program),
        };
        let accepted = self.gate.accept(at, 0, 0, 0, due_in_ms).await;
        assert_eq!(accepted, Ok(Accepted::Yes));
    }

    /// Time until the timeout entry of an order is due, ms; `None` without one.
    pub(crate) async fn due_in_ms(&self, order: &OrderRequested) -> Option<i64> {
        let (queue, id) = (self.gate.timeouts(), order.order.to_string());
        let entry = queue.peek(order.order.shard(), &id).await.expect("redis")?;
        let now_ms = self.gate.now_ms().await.expect("redis");
        Some(entry.due_ms as i64 - now_ms as i64)
    }

    pub(crate) async fn status(&self, order: &OrderRequested) -> Option<Status> {
        self.store
            .order(order.order)
            .await
            .expect("postgres")
            .map(|row| row.status)
    }

    pub(crate) async fn state(&self, order: &OrderRequested) -> Option<ReservationState> {
        self.gate
            .reservation(order.order)
            .await
            .expect("redis")
            .map(|found| found.state)
    }

    pub(crate) async fn free(&self) -> u32 {
        let found = self
            .gate
            .availability(ProgramRef::from(&self.program))
            .await
            .expect("redis")
            .expect("installed");
        found.free[0].1
    }

    /// Runs statements directly in the schema.
    pub(crate) async fn run(&self, sql: &'static str) {
        sqlx::raw_sql(sql)
            .execute(&testkit::postgres::pool(&self.schema))
            .await
            .expect("statement");
    }

    pub(crate) async fn handle(&self, values: &[Option<Vec<u8>>]) -> BatchResponse {
        self.creator.handle(&event(values)).await
    }
}

/// A Kafka event with partition 0 and offsets from 0.
pub(crate) fn event(values: &[Option<Vec<u8>>]) -> KafkaBatch {
    event_of(0, values)
}

/// A Kafka event with one partition and offsets from 0.
pub(crate) fn event_of(partition: u32, values: &[Option<Vec<u8>>]) -> KafkaBatch {
    event_at(partition, 0, values)
}

/// A Kafka event with one partition and offsets from `first`.
pub(crate) fn event_at(partition: u32, first: u64, values: &[Option<Vec<u8>>]) -> KafkaBatch {
    let records: Vec<Value> = (first..)
        .zip(values)
        .map(|(offset, value)| {
            let value = value.as_ref().map(|bytes| base64_simd::STANDARD.encode_to_string(bytes));
            json!({"topic": "t-order-create", "partition": partition, "offset": offset, "timestamp": APPENDED_MS + offset,
                   "timestampType": "LOG_APPEND_TIME", "key": null, "value": value, "headers": []})
        })
        .collect();
    let event = json!({"eventSource": "SelfManagedKafka", "bootstrapServers": "localhost:9092", "records": {format!("t-order-create-{partition}"): records}});
    serde_json::from_str(&event.to_string()).expect("a Kafka event")
}

pub(crate) fn message(order: &OrderRequested) -> Vec<u8> {
    serde_json::to_vec(order).expect("JSON")
}
