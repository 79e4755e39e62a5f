//! How many statements and round trips each operation costs, counted between the store and
//! Postgres. A higher number is a decision: change it here and in `docs/reference/postgres.md`.

use shared::message::OrderRequested;
use shared::store::{Cancel, CloseDecision, Closing, Closings, PaymentResult, Store, StoreError};
use sqlx::postgres::PgConnectOptions;
use testkit::servers::database_url;
use testkit::statements::{StatementCounter, StatementCounts};

use crate::environment::{Environment, MIN_PAY_MS, arrival, order, with};
use crate::paying::payment;

/// Orders of a batch: as many as timeout-closer claims at once.
const BATCH: u32 = 256;

const DIRTY: &str = "SELECT count(*) FROM orders WHERE dirty";

/// A store whose statements are counted, on one connection.
struct Counted {
    counter: StatementCounter,
    store: Store,
}

impl Counted {
    async fn start(env: &Environment) -> Self {
        let options: PgConnectOptions = database_url().parse().expect("a database URL");
        let counter = StatementCounter::start(options.get_port()).await;
        let url = database_url().replace(
            &format!(":{}/", options.get_port()),
            &format!(":{}/", counter.port()),
        );
        let store = Store::connect(&url, &env.names, 1).expect("a database URL");
        Self { counter, store }
    }

    /// What an operation sends. It succeeds.
    async fn of<T>(
        &self,
        operation: impl AsyncFnOnce(&Store) -> Result<T, StoreError>,
    ) -> (T, StatementCounts) {
        let before = self.counter.counts();
        let result = operation(&self.store).await.expect("postgres");
        (result, self.counter.counts() - before)
    }
}

/// Statements that are prepared already, each in a round trip of its own.
fn statements(count: u64) -> StatementCounts {
    StatementCounts {
        statements: count,
        prepared: 0,
        round_trips: count,
    }
}

/// Orders of other seats of a program each, stored.
async fn stored<const N: usize>(env: &Environment) -> [OrderRequested; N] {
    let orders = std::array::from_fn(|at| order("alice", 1 + at as i64, &[1, 2]));
    env.create(&orders).await;
    orders
}

#[tokio::test]
async fn a_look_up_is_one_round_trip() {
    with(|env| async move {
        let counted = Counted::start(&env).await;
        let [one] = stored(&env).await;
        for sent in [None, Some(statements(1))] {
            let (found, order) = counted.of(async |store| store.order(one.order).await).await;
            assert!(found.is_some());
            let (found, list) = counted
                .of(async |store: &Store| store.orders_of(&one.user, None, 20).await)
                .await;
            assert_eq!(found.len(), 1);
            if let Some(sent) = sent {
                assert_eq!((order, list), (sent, sent));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_payment_is_one_statement_and_one_settled() {
    with(|env| async move {
        let counted = Counted::start(&env).await;
        let orders: [_; 2] = stored(&env).await;
        for (one, sent) in orders.iter().zip([None, Some(statements(2))]) {
            let payment = payment(&one.order.to_string(), one);
            let (newer, pay) = counted
                .of(async |store: &Store| {
                    let paid = store.pay(&payment).await?;
                    assert_eq!(paid.result, PaymentResult::Applied);
                    let row = paid.row.expect("the order is stored");
                    store.settled(&[(row.number, row.version)], &[]).await
                })
                .await;
            assert_eq!(newer, []);
            let (again, repeated) = counted
                .of(async |store: &Store| store.pay(&payment).await)
                .await;
            assert_eq!(again.result, PaymentResult::Duplicate);
            if let Some(sent) = sent {
                assert_eq!((pay, repeated), (sent, statements(5)));
            }
        }
        assert_eq!(env.number(DIRTY).await, 0);
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_cancellation_is_one_statement_and_one_settled() {
    with(|env| async move {
        let counted = Counted::start(&env).await;
        let orders: [_; 2] = stored(&env).await;
        for (one, sent) in orders.iter().zip([None, Some(statements(2))]) {
            let (newer, cancel) = counted
                .of(async |store: &Store| {
                    let cancelled = store.cancel(one.order, &one.user).await?;
                    let Cancel::Cancelled(row) = cancelled else {
                        panic!("{cancelled:?}")
                    };
                    store.settled(&[(row.number, row.version)], &[]).await
                })
                .await;
            assert_eq!(newer, []);
            if let Some(sent) = sent {
                assert_eq!(cancel, sent);
            }
        }
        assert_eq!(env.number(DIRTY).await, 0);
    })
    .await;
}

#[tokio::test]
async fn closing_many_orders_is_three_statements() {
    with(|env| async move {
        let counted = Counted::start(&env).await;
        env.run(
            "CREATE SEQUENCE changes MINVALUE 0 START 0;
             CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM nextval('changes'); RETURN NEW; END $$;
             SELECT nextval('changes')",
        )
        .await;
        for (program, sent) in [(1, None), (2, Some(statements(3)))] {
            let orders: Vec<_> = (0..BATCH)
                .map(|seat| order("alice", program, &[seat]))
                .collect();
            env.create(&orders).await;
            env.run("DELETE FROM unsettled; UPDATE orders SET pay_by = now() - interval '1 s'")
                .await;
            env.run(
                "CREATE TRIGGER change AFTER UPDATE ON orders
                 FOR EACH ROW EXECUTE FUNCTION change()",
            )
            .await;
            let due: Vec<_> = orders.iter().map(|one| (one.order, one.nonce)).collect();
            let (newer, close) = counted
                .of(async |store: &Store| {
                    let Closings {
                        decisions,
                        unsettled,
                    } = store.close_due(&due).await?;
                    let closed = |one: &&Closing| one.decision == CloseDecision::Closed;
                    assert_eq!(decisions.iter().filter(closed).count(), due.len());
                    let rows = decisions.iter().filter_map(|one| one.row.as_ref());
                    let versions: Vec<_> = rows.map(|row| (row.number, row.version)).collect();
                    let counts = env.store.counts().await?;
                    assert_eq!(
                        counts.dirty,
                        i64::from(BATCH),
                        "listed until they are settled"
                    );
                    store.settled(&versions, &unsettled).await
                })
                .await;
            assert_eq!(newer, []);
            if let Some(sent) = sent {
                assert_eq!(close, sent);
            }
            assert_eq!(env.store.counts().await.expect("postgres").dirty, 0);
            env.run("DROP TRIGGER change ON orders").await;
        }
        let changes = env.number("SELECT last_value FROM changes").await;
        assert_eq!(changes, 2 * i64::from(BATCH), "one version of each row");
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_usual_batch_is_one_statement() {
    with(|env| async move {
        let counted = Counted::start(&env).await;
        for round in [0, 1] {
            let orders: Vec<_> = (0..BATCH)
                .map(|seat| order("alice", 1 + round, &[seat]))
                .collect();
            let first = round * i64::from(BATCH);
            let arrivals: Vec<_> = orders
                .iter()
                .zip(first..)
                .map(|(order, offset)| arrival(0, offset, order))
                .collect();
            let numbers: Vec<_> = orders.iter().map(|order| order.order).collect();
            let ((), stored) = counted
                .of(async |store: &Store| {
                    let stored = store.store_orders(&arrivals, MIN_PAY_MS).await;
                    assert_eq!(
                        (stored.unfinished, stored.orders.len()),
                        (None, BATCH as usize)
                    );
                    Ok(())
                })
                .await;
            let (paid, matched) = counted
                .of(async |store: &Store| store.match_payments(&numbers).await)
                .await;
            assert_eq!(paid, []);
            if round == 1 {
                assert_eq!(matched, statements(1));
                assert_eq!(stored, statements(1));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_sweep_without_work_is_four_statements() {
    with(|env| async move {
        let counted = Counted::start(&env).await;
        stored::<1>(&env).await;
        for sent in [None, Some(statements(4))] {
            let (found, sweep) = counted
                .of(async |store: &Store| {
                    let closed = store.sweep_overdue(100).await?;
                    let paid = store.sweep_payments(100).await?;
                    let dirty = store.dirty(None, 100).await?;
                    Ok((closed, paid, dirty))
                })
                .await;
            assert_eq!(found, (vec![], vec![], vec![]));
            if let Some(sent) = sent {
                assert_eq!(sweep, sent);
            }
        }
    })
    .await;
}
