//! Batches through the handler, with a real `PostgreSQL` and a real Redis (`scripts/servers start postgres redis`).

use std::future::Future;
use std::time::Duration;

use lambda_batch::{BatchResponse, KafkaBatch};
use order_create::{Creator, Settings};
use serde_json::{Value, json};
use shared::config::Reader;
use shared::gate::{
    Epoch, FillBegun, FillClaim, FillStart, Gate, HoldRequest, ProgramRef, ReservationState,
    Reserved,
};
use shared::message::{
    Cents, IdempotencyKey, Nonce, OrderNumber, OrderRequested, SeatIndex, UserId,
};
use shared::naming::Names;
use shared::sale::{NewCategory, NewProgram, Program, SeatSelection, Status};
use shared::store::{Payment, Store};
use testkit::postgres::drop_schema;
use testkit::with_cleanup;

/// One test's environment: the function under test, and its own way to both servers.
struct Stage {
    creator: Creator,
    store: Store,
    gate: Gate,
    program: Program,
    schema: String,
}

/// Runs a test on a stage of its own, and clears the stage away however the test ends. `redis`: where the function thinks Redis is.
async fn with<F: Future<Output = ()> + Send + 'static>(redis: &str, test: impl FnOnce(Stage) -> F) {
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
    let creator = Creator::open(Settings::read(&reader).expect("settings")).expect("lazy");
    let stage = Stage {
        creator,
        store: store.clone(),
        gate,
        program,
        schema: names.schema(),
    };
    with_cleanup(test(stage), async {
        store.disconnect().await;
        drop_schema(&names.schema()).await;
    })
    .await;
}

impl Stage {
    fn order(&self, user: &str, seats: &[u32]) -> OrderRequested {
        let since = rand::random_range(1..1_u64 << 40);
        let number = OrderNumber::compose(
            OrderNumber::EPOCH_MS + since,
            self.program.shard,
            rand::random(),
        );
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

    /// Holds an order's seats in the gate, as storefront does.
    async fn reserve(&self, order: &OrderRequested) {
        let wish = HoldRequest {
            program: ProgramRef::from(&self.program),
            order: order.order,
            nonce: order.nonce,
            user: order.user.clone(),
            want: SeatSelection::Seats {
                category: order.category,
                seats: order.seats.clone(),
            },
            unit_price: order.unit_price_cents,
            user_limit: 1_000,
            idempotency: order
                .idempotency_key
                .clone()
                .map(|key| (key, "00".to_owned())),
            publish_window_ms: 30_000,
            idem_ttl_ms: 60_000,
            message_head: "{\"seats\":[".into(),
            message_tail: "]}".into(),
        };
        let held = self.gate.reserve(&wish).await.expect("redis");
        assert!(matches!(held, Reserved::Held { .. }), "{held:?}");
    }

    async fn status(&self, order: &OrderRequested) -> Option<Status> {
        self.store
            .order(order.order)
            .await
            .expect("postgres")
            .map(|row| row.status)
    }

    async fn state(&self, order: &OrderRequested) -> Option<ReservationState> {
        self.gate
            .reservation(order.order)
            .await
            .expect("redis")
            .map(|found| found.state)
    }

    async fn free(&self) -> u32 {
        let found = self
            .gate
            .availability(ProgramRef::from(&self.program))
            .await
            .expect("redis")
            .expect("installed");
        found.free[0].1
    }

    /// Statements past the store.
    async fn run(&self, sql: &'static str) {
        sqlx::raw_sql(sql)
            .execute(&testkit::postgres::pool(&self.schema))
            .await
            .expect("statement");
    }

    async fn handle(&self, values: &[Option<Vec<u8>>]) -> BatchResponse {
        self.creator.handle(&event(values)).await
    }
}

/// The event of a mapping: one partition, offsets from 0.
fn event(values: &[Option<Vec<u8>>]) -> KafkaBatch {
    let records: Vec<Value> = values
        .iter()
        .enumerate()
        .map(|(offset, value)| {
            let value = value.as_ref().map(|bytes| base64_simd::STANDARD.encode_to_string(bytes));
            json!({"topic": "t-order-create", "partition": 0, "offset": offset, "timestamp": 1_763_800_000_000_u64 + offset as u64,
                   "timestampType": "LOG_APPEND_TIME", "key": null, "value": value, "headers": []})
        })
        .collect();
    let event = json!({"eventSource": "SelfManagedKafka", "bootstrapServers": "localhost:9092", "records": {"t-order-create-0": records}});
    serde_json::from_str(&event.to_string()).expect("a Kafka event")
}

fn message(order: &OrderRequested) -> Vec<u8> {
    serde_json::to_vec(order).expect("JSON")
}

#[tokio::test]
async fn an_order_paid_before_it_is_settled_has_no_timeout() {
    with("", |stage| async move {
        let order = stage.order("alice", &[3, 4]);
        stage.reserve(&order).await;
        // The payment, and what settles it, come between create's commit and what create settles.
        let pay = "CREATE FUNCTION pay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     UPDATE orders SET status = 'paid', version = version + 1, dirty = false WHERE number = NEW.number;
                     RETURN NULL; END $$;
                   CREATE CONSTRAINT TRIGGER pay AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
                     FOR EACH ROW EXECUTE FUNCTION pay()";
        stage.run(pay).await;
        assert!(stage.handle(&[Some(message(&order))]).await.is_empty());
        assert_eq!((stage.status(&order).await, stage.free().await), (Some(Status::Paid), 1_998));
        let entry = stage.gate.timeouts().peek(order.order.shard(), &order.order.to_string()).await.expect("redis");
        assert_eq!(entry, None, "a paid order has no timeout");
    })
    .await;
}

#[tokio::test]
async fn a_stored_order_is_stored_in_the_gate_too_and_nothing_stays_dirty() {
    with("", |stage| async move {
        let order = stage.order("alice", &[3, 4]);
        stage.reserve(&order).await;
        assert!(stage.handle(&[Some(message(&order))]).await.is_empty());
        assert_eq!(stage.status(&order).await, Some(Status::Unpaid));
        assert_eq!(stage.state(&order).await, Some(ReservationState::Stored));
        assert_eq!(stage.store.counts().await.expect("postgres").dirty, 0);
        // Delivered again: the same.
        assert!(stage.handle(&[Some(message(&order))]).await.is_empty());
        assert_eq!(stage.state(&order).await, Some(ReservationState::Stored));
        assert_eq!(stage.free().await, 2_000 - 2);
    })
    .await;
}

#[tokio::test]
async fn poison_is_parked_and_the_good_record_behind_it_completes() {
    with("", |stage| async move {
        let order = stage.order("alice", &[1]);
        stage.reserve(&order).await;
        let nul = String::from_utf8(message(&order))
            .expect("text")
            .replace("alice", "al\\u0000ce")
            .into_bytes();
        let wrong_types = br#"{"v":1,"order":7,"seats":"all"}"#.to_vec();
        let values = [
            Some(b"not JSON".to_vec()),
            Some(wrong_types),
            Some(vec![0xff; 900_000]),
            Some(nul),
            None,
            Some(message(&order)),
        ];
        assert!(
            stage.handle(&values).await.is_empty(),
            "nothing is to come again"
        );
        assert_eq!(stage.store.counts().await.expect("postgres").parked, 5);
        assert_eq!(stage.status(&order).await, Some(Status::Unpaid));
        assert_eq!(stage.state(&order).await, Some(ReservationState::Stored));
    })
    .await;
}

#[tokio::test]
async fn a_barrier_is_passed_and_never_parked() {
    with("", |stage| async move {
        let order = stage.order("alice", &[1]);
        stage.reserve(&order).await;
        let barrier = format!(r#"{{"v":1,"barrier":"{}"}}"#, "ab".repeat(16)).into_bytes();
        let newer = format!(r#"{{"v":2,"barrier":"{}"}}"#, "ab".repeat(16)).into_bytes();
        assert!(
            stage
                .handle(&[
                    Some(barrier.clone()),
                    Some(message(&order)),
                    Some(newer),
                    Some(barrier)
                ])
                .await
                .is_empty()
        );
        assert_eq!(stage.status(&order).await, Some(Status::Unpaid));
        assert_eq!(
            stage.store.counts().await.expect("postgres").parked,
            1,
            "the one of a version that is not known"
        );
        assert_eq!(
            stage
                .store
                .progress("t-order-create")
                .await
                .expect("postgres")[0]
                .next_offset,
            4
        );
    })
    .await;
}

#[tokio::test]
async fn a_rejected_order_leaves_the_gate_and_its_key_is_free_again() {
    with("", |stage| async move {
        // The gate has lost its memory since the holder bought: it sells the seat a second time.
        let holder = stage.order("alice", &[5]);
        let mut late = stage.order("bob", &[5, 6]);
        late.idempotency_key = Some(IdempotencyKey::new("k").expect("key"));
        stage.reserve(&late).await;
        assert!(stage.handle(&[Some(message(&holder))]).await.is_empty());
        assert!(stage.handle(&[Some(message(&late))]).await.is_empty());
        assert_eq!(stage.status(&late).await, Some(Status::Rejected));
        assert_eq!(stage.state(&late).await, None);
        assert_eq!(
            stage.free().await,
            2_000 - 1,
            "the holder has its seat, the late one none"
        );
        let mut again = stage.order("bob", &[7]);
        again.idempotency_key = late.idempotency_key.clone();
        stage.reserve(&again).await;
    })
    .await;
}

#[tokio::test]
async fn a_payment_that_came_first_is_applied_and_the_order_has_no_timeout() {
    with("", |stage| async move {
        let order = stage.order("alice", &[1]);
        stage.reserve(&order).await;
        let payment = Payment {
            reference: "p".into(),
            order: order.order,
            amount: order.amount_cents,
        };
        stage.store.pay(&payment).await.expect("postgres");
        assert!(stage.handle(&[Some(message(&order))]).await.is_empty());
        assert_eq!(stage.status(&order).await, Some(Status::Paid));
        assert_eq!(stage.state(&order).await, Some(ReservationState::Stored));
        let waiting = stage
            .gate
            .timeouts()
            .stats(stage.program.shard)
            .await
            .expect("redis")
            .waiting;
        assert_eq!(waiting, 0);
        assert_eq!(stage.store.counts().await.expect("postgres").dirty, 0);
    })
    .await;
}

#[tokio::test]
async fn a_gate_that_is_away_delays_no_record_and_the_orders_stay_dirty() {
    // A port that was free a moment ago: nobody listens there.
    let port = testkit::net::free_address().port();
    with(&format!("redis://127.0.0.1:{port}"), |stage| async move {
        let orders = [stage.order("alice", &[1]), stage.order("bob", &[2])];
        let values: Vec<_> = orders.iter().map(|order| Some(message(order))).collect();
        assert!(stage.handle(&values).await.is_empty(), "stored is done");
        assert_eq!(stage.status(&orders[1]).await, Some(Status::Unpaid));
        assert_eq!(stage.store.counts().await.expect("postgres").dirty, 2);
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_away_returns_every_record_from_the_first() {
    let port = testkit::net::free_address().port();
    let away = format!("postgres://usher:usher@127.0.0.1:{port}/usher");
    let redis = testkit::servers::redis_url();
    let reader = Reader::new([
        ("ENV_PREFIX", "nowhere"),
        ("DATABASE_URL", away.as_str()),
        ("REDIS_GATE_URL", redis.as_str()),
    ]);
    let creator = Creator::open(Settings::read(&reader).expect("settings")).expect("lazy");
    let failures = creator
        .handle(&event(&[Some(b"noise".to_vec()), None]))
        .await;
    let wanted = json!({"batchItemFailures": [{"itemIdentifier": {"partition": "t-order-create-0", "offset": 0}}]});
    assert_eq!(serde_json::to_value(&failures).expect("JSON"), wanted);
}

#[tokio::test]
async fn a_thousand_orders_of_one_batch_are_stored_and_settled() {
    with("", |stage| async move {
        let orders: Vec<_> = (0..1_000)
            .map(|n| stage.order(&format!("user-{n}"), &[2 * n, 2 * n + 1]))
            .collect();
        let values: Vec<_> = orders.iter().map(|order| Some(message(order))).collect();
        assert!(stage.handle(&values).await.is_empty());
        assert_eq!(stage.free().await, 0);
        assert_eq!(stage.store.counts().await.expect("postgres").dirty, 0);
    })
    .await;
}

#[test]
fn everything_wrong_with_the_settings_is_said_at_once() {
    let reader = Reader::new([
        ("MIN_PAY_WINDOW_SECONDS", "120"),
        ("PAY_WINDOW_SECONDS", "60"),
        ("DB_CONNECTIONS", "many"),
    ]);
    let problems = Settings::read(&reader).expect_err("refused").to_string();
    for variable in [
        "ENV_PREFIX",
        "REDIS_GATE_URL",
        "DATABASE_URL",
        "DB_CONNECTIONS",
        "MIN_PAY_WINDOW_SECONDS",
    ] {
        assert!(
            problems.contains(variable),
            "{variable} is not in {problems}"
        );
    }
}
