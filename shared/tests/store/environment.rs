//! The environment of a test: a schema of its own, and orders to store in it.

use std::future::Future;

use lambda_batch::Reason;
use shared::message::{
    CategoryNo, Cents, IdempotencyKey, Nonce, OrderNumber, OrderRequested, ProgramId, SeatIndex,
    Shard, UserId,
};
use shared::naming::Names;
use shared::sale::{NewCategory, NewProgram, Program, Status};
use shared::store::{Arrival, OrderRow, Store, StoreError, StoredBatch};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, PgPool};
use testkit::postgres::drop_schema;
use testkit::relay::Relay;
use testkit::servers::database_url;
use testkit::with_cleanup;

pub(crate) const TOPIC: &str = "test-order-create";
/// Default minimum pay window.
pub(crate) const MIN_PAY_MS: u64 = 60_000;

/// Store and names of one test. Clones share them.
#[derive(Clone)]
pub(crate) struct Environment {
    pub(crate) store: Store,
    /// Statements that bypass the store.
    pub(crate) raw: PgPool,
    pub(crate) names: Names,
}

/// Where the stores under test connect: `STORE_URL`, else directly to the server.
pub(crate) fn store_url() -> String {
    std::env::var("STORE_URL").unwrap_or_else(|_| database_url())
}

/// Whether these tests run a second time, behind a pooler.
pub(crate) fn behind_a_pooler() -> bool {
    std::env::var_os("STORE_URL").is_some()
}

/// Runs a test in a new, migrated schema and drops the schema afterwards.
pub(crate) async fn with<F: Future<Output = ()> + Send + 'static>(
    test: impl FnOnce(Environment) -> F,
) {
    let names = Names::new(&testkit::prefix()).expect("valid prefix");
    let store = Store::connect(&store_url(), &names, 16).expect("a database URL");
    store
        .migrate()
        .await
        .expect("PostgreSQL is needed: `scripts/servers start postgres`, or set DATABASE_URL");
    let raw = testkit::postgres::pool(&names.schema());
    let environment = Environment { store, raw, names };
    with_cleanup(test(environment.clone()), async {
        environment.store.disconnect().await;
        drop_schema(&environment.names.schema()).await;
    })
    .await;
}

/// A program of two categories, with 400 seats.
pub(crate) fn new_program() -> NewProgram {
    let category = |name: &str| NewCategory {
        name: name.into(),
        rows: 10,
        row_len: 20,
        price: Cents::new(4_500).expect("price"),
    };
    NewProgram::new(
        "Autumn tour".into(),
        vec![category("stalls"), category("balcony")],
        900_000,
        6,
    )
    .expect("valid")
}

impl Environment {
    /// Stores orders as records of one partition, offsets from 0.
    pub(crate) async fn create(&self, orders: &[OrderRequested]) -> Vec<OrderRow> {
        let arrivals: Vec<_> = orders
            .iter()
            .enumerate()
            .map(|(at, order)| arrival(0, at as i64, order))
            .collect();
        let stored = self.store.store_orders(&arrivals, MIN_PAY_MS).await;
        assert_eq!(stored.unfinished, None);
        let rows = stored.orders.iter().map(|order| order.row().into_owned());
        rows.collect()
    }

    pub(crate) async fn row(&self, number: OrderNumber) -> OrderRow {
        self.store
            .order(number)
            .await
            .expect("postgres")
            .expect("the order has a row")
    }

    pub(crate) async fn status(&self, number: OrderNumber) -> Status {
        self.row(number).await.status
    }

    /// The only number of a statement's result.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(&self.raw)
            .await
            .expect("a number")
    }

    /// A relay in front of Postgres, and a store with this many connections behind it.
    pub(crate) async fn behind_relay(&self, connections: u32) -> (Relay, Store) {
        let options: PgConnectOptions = store_url().parse().expect("a database URL");
        let relay = Relay::start(options.get_port()).await;
        let url = store_url().replace(
            &format!(":{}/", options.get_port()),
            &format!(":{}/", relay.port()),
        );
        let store = Store::connect(&url, &self.names, connections).expect("a database URL");
        (relay, store)
    }

    pub(crate) async fn run(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&self.raw)
            .await
            .expect("statement");
    }

    /// Ends an order's time to pay.
    pub(crate) async fn make_overdue(&self, number: OrderNumber) {
        let sql = "UPDATE orders SET pay_by = now() - interval '1 second' WHERE number = $1";
        sqlx::query(sql)
            .bind(number.get())
            .execute(&self.raw)
            .await
            .expect("statement");
    }

    pub(crate) async fn program(&self) -> Program {
        self.store
            .create_program(new_program(), None)
            .await
            .expect("postgres")
    }

    /// Checks the invariants of every test.
    pub(crate) async fn check_invariants(&self) {
        let live = "('unpaid', 'paid', 'refunding')";
        let count = async |sql: String| -> i64 {
            sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_one(&self.raw)
                .await
                .expect("a number")
        };
        let held_without_order = count(format!(
            "SELECT count(*) FROM order_seats s LEFT JOIN orders o ON o.number = s.order_number
                AND o.status IN {live}
             AND o.program = s.program AND s.seat = ANY (o.seats) WHERE o.number IS NULL"
        ));
        assert_eq!(
            held_without_order.await,
            0,
            "seats held without a live order"
        );
        // The primary key prevents it: a removal of the key (scripts/protections) shows that this
        // finds it.
        let sold_twice = count(
            "SELECT count(*) FROM (SELECT FROM order_seats GROUP BY program, seat
             HAVING count(*) > 1) AS s"
                .to_owned(),
        );
        assert_eq!(sold_twice.await, 0, "seats in two live orders");
        let without_seats = count(format!(
            "SELECT count(*) FROM orders o WHERE o.status IN {live} AND cardinality(o.seats) <>
             (SELECT count(*) FROM order_seats s WHERE s.order_number = o.number)"
        ));
        assert_eq!(
            without_seats.await,
            0,
            "live orders without all their seats"
        );
        let paid_by_nothing = count(
            "SELECT count(*) FROM orders o WHERE o.status = 'paid' AND 1 <>
             (SELECT count(*) FROM payments p WHERE p.order_number = o.number AND p.status =
             'applied' AND p.amount_cents = o.amount_cents)"
                .to_owned(),
        );
        assert_eq!(
            paid_by_nothing.await,
            0,
            "paid orders without exactly one payment"
        );
        let applied_to_nothing = count(
            "SELECT count(*) FROM payments p LEFT JOIN orders o ON o.number = p.order_number AND
                o.status IN ('paid', 'refunding')
             WHERE p.status = 'applied' AND o.number IS NULL"
                .to_owned(),
        );
        assert_eq!(
            applied_to_nothing.await,
            0,
            "payments applied to orders that are not paid"
        );
        let lost = count(
            "SELECT count(*) FROM payments p JOIN orders o ON o.number = p.order_number \
             WHERE p.status = 'unmatched'"
                .to_owned(),
        );
        assert_eq!(lost.await, 0, "unmatched payments of stored orders");
    }
}

/// An order with a new number and nonce. Each seat costs 4500 cents.
pub(crate) fn order(user: &str, program: i64, seats: &[u32]) -> OrderRequested {
    let price = Cents::new(4_500).expect("price");
    let order = OrderRequested {
        v: 1,
        order: number(),
        nonce: Nonce::new(rand::random()),
        user: UserId::new(user).expect("user"),
        program: ProgramId::new(program).expect("program"),
        category: CategoryNo::new(0).expect("category"),
        seats: seats
            .iter()
            .map(|seat| SeatIndex::new(*seat).expect("seat"))
            .collect(),
        unit_price_cents: price,
        amount_cents: price.times(seats.len()).expect("amount"),
        idempotency_key: None,
        idempotency_hash: None,
        pay_by_ms: 4_000_000_000_000,
        trace: None,
    };
    order.check().expect("a valid order");
    order
}

pub(crate) fn keyed(mut order: OrderRequested, key: &str) -> OrderRequested {
    order.idempotency_key = Some(IdempotencyKey::new(key).expect("key"));
    order
}

pub(crate) fn number() -> OrderNumber {
    let since = rand::random_range(1..1_u64 << 40);
    OrderNumber::compose(
        OrderNumber::EPOCH_MS + since,
        Shard::new(3).expect("shard"),
        rand::random(),
    )
    .expect("number")
}

pub(crate) fn arrival(partition: i32, offset: i64, order: &OrderRequested) -> Arrival<'static> {
    Arrival {
        topic: TOPIC,
        partition,
        offset,
        appended_ms: Some(1_700_000_000_000 + offset),
        key: Some(b"key"),
        value: Some(b"value"),
        message: Ok(order.clone()),
    }
}

pub(crate) fn unreadable<'a>(offset: i64, value: Option<&'a [u8]>, reason: &str) -> Arrival<'a> {
    let appended_ms = Some(1_700_000_000_000 + offset);
    Arrival {
        topic: TOPIC,
        partition: 0,
        offset,
        appended_ms,
        key: None,
        value,
        message: Err(Reason::new(reason)),
    }
}

/// The decisions, by order number, sorted.
pub(crate) fn decisions(stored: &StoredBatch<'_>) -> Vec<(OrderNumber, String)> {
    let mut all: Vec<_> = stored
        .orders
        .iter()
        .map(|order| {
            let decision = format!("{:?}", order.decision);
            (
                order.request.order,
                decision
                    .split([' ', '{'])
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            )
        })
        .collect();
    all.sort();
    all
}

/// Any statement that only reads.
pub(crate) async fn look(store: &Store) -> Result<(), StoreError> {
    let user = UserId::new("alice").expect("user");
    store.orders_of(&user, None, 1).await.map(drop)
}
