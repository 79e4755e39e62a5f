//! The usual batch: new orders, directly behind the progress. One statement stores it; whatever it
//! cannot store, the separate statements do.

use shared::message::OrderRequested;
use shared::sale::Status;
use shared::store::{Arrival, Decision, Holder, Store, StoredBatch};
use sqlx::postgres::PgConnectOptions;
use testkit::servers::database_url;
use testkit::statements::StatementCounter;

use crate::create::SameRemainingTime;
use crate::environment::{
    Environment, MIN_PAY_MS, TOPIC, arrival, decisions, keyed, order, unreadable, with,
};
use crate::paying::payment;

/// Stores one order at offset 0, so that the partition has a progress.
async fn begun(env: &Environment) {
    env.create(&[order("first", 9, &[1])]).await;
    let first = env.number("SELECT max(id) FROM unsettled").await;
    env.run("DELETE FROM unsettled").await;
    assert_eq!(first, 1);
}

/// A store whose statements are counted, with an open connection.
async fn counted(env: &Environment) -> (StatementCounter, Store) {
    let options: PgConnectOptions = database_url().parse().expect("a database URL");
    let counter = StatementCounter::start(options.get_port()).await;
    let (from, to) = (options.get_port(), counter.port());
    let url = database_url().replacen(&format!(":{from}/"), &format!(":{to}/"), 1);
    let store = Store::connect(&url, &env.names, 1).expect("a database URL");
    store.counts().await.expect("postgres");
    (counter, store)
}

fn from(offset: i64, orders: &[OrderRequested]) -> Vec<Arrival<'static>> {
    (offset..)
        .zip(orders)
        .map(|(offset, order)| arrival(0, offset, order))
        .collect()
}

async fn stored<'a>(env: &Environment, arrivals: &'a [Arrival<'a>]) -> StoredBatch<'a> {
    let stored = env.store.store_orders(arrivals, MIN_PAY_MS).await;
    assert_eq!(stored.unfinished, None);
    stored
}

async fn next_offset(env: &Environment) -> i64 {
    env.store.progress(TOPIC).await.expect("postgres")[0].next_offset
}

#[tokio::test]
async fn a_usual_batch_is_stored_and_ended_by_a_statement_each() {
    with(|env| async move {
        begun(&env).await;
        let (counter, counted) = counted(&env).await;
        let before = counter.counts();
        let orders: Vec<_> = (0..50)
            .map(|n| order("alice", 7, &[2 * n, 2 * n + 1]))
            .collect();
        let arrivals = from(1, &orders);
        let batch = counted.store_orders(&arrivals, MIN_PAY_MS).await;
        assert_eq!(batch.orders.len(), 50);
        let sent = counter.counts() - before;
        assert_eq!(sent.statements, 1, "to store: {sent:?}");

        let settled: Vec<_> = batch
            .orders
            .iter()
            .map(|order| (order.request.order, order.version()))
            .collect();
        let before = counter.counts();
        let open = counted.end_batches(&batch.unsettled, &settled).await;
        assert_eq!(open.expect("postgres"), []);
        let sent = counter.counts() - before;
        assert_eq!(sent.statements, 1, "to end: {sent:?}");
        assert_eq!(env.number("SELECT count(*) FROM unsettled").await, 0);
        counted.disconnect().await;
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn what_it_returns_is_what_it_stored() {
    with(|env| async move {
        begun(&env).await;
        let mut late = order("bob", 7, &[1, 2, 3]);
        late.pay_by_ms = 1;
        let mut full = keyed(order("alice", 7, &[8]), "key");
        full.trace = Some("00-trace".to_owned());
        let orders = [full, late];
        let arrivals = from(1, &orders);
        let batch = stored(&env, &arrivals).await;
        assert_eq!(batch.orders.len(), 2);
        for order in &batch.orders {
            assert_eq!(order.decision, Decision::Created);
            let row = env.row(order.request.order).await;
            let stored = order.row().into_owned();
            assert_eq!(row.with_remaining_time_of(&stored), stored);
            assert!(stored.remaining_ms >= Some(MIN_PAY_MS as i64 - 1));
        }
        assert_eq!(
            env.number("SELECT count(*) FROM order_seats WHERE program = 7")
                .await,
            4
        );
        assert_eq!(
            env.number("SELECT cardinality(numbers)::int8 FROM unsettled")
                .await,
            2
        );
        let progress = &env.store.progress(TOPIC).await.expect("postgres")[0];
        assert_eq!((progress.incarnation, progress.next_offset), (1, 3));
        assert_eq!(progress.appended_ms, arrivals[1].appended_ms);
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_conflict_inside_it_rejects_one_order() {
    with(|env| async move {
        begun(&env).await;
        let holder = keyed(order("alice", 7, &[5]), "once");
        env.store
            .store_orders(&from(1, std::slice::from_ref(&holder)), MIN_PAY_MS)
            .await;
        let who = Holder {
            number: holder.order,
            nonce: holder.nonce,
        };
        let taken = [order("bob", 7, &[5, 6]), order("carol", 7, &[7])];
        let again = [
            keyed(order("alice", 7, &[9]), "once"),
            order("dora", 7, &[10]),
        ];
        for (offset, orders) in [(2, taken), (4, again)] {
            let arrivals = from(offset, &orders);
            let batch = stored(&env, &arrivals).await;
            let of = |at: usize| {
                let found = batch
                    .orders
                    .iter()
                    .find(|o| o.request.order == orders[at].order);
                found.map(|order| order.decision.clone())
            };
            assert_eq!(of(0), Some(Decision::Rejected { holders: vec![who] }));
            assert_eq!(of(1), Some(Decision::Created));
            assert_eq!(env.status(orders[0].order).await, Status::Rejected);
            assert_eq!(next_offset(&env).await, offset + 2);
        }
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_partition_that_stands_elsewhere_changes_nothing_alone() {
    with(|env| async move {
        let firsts = [order("alice", 7, &[1]), order("bob", 7, &[2])];
        let arrivals = [arrival(0, 0, &firsts[0]), arrival(1, 0, &firsts[1])];
        stored(&env, &arrivals).await;
        // Partition 0 continues, partition 1 has a gap.
        let next = [order("carol", 7, &[3]), order("dora", 7, &[4])];
        let arrivals = [arrival(0, 1, &next[0]), arrival(1, 5, &next[1])];
        let batch = stored(&env, &arrivals).await;
        assert_eq!(batch.orders.len(), 2);
        let gaps = batch
            .gaps
            .iter()
            .map(|gap| (gap.partition, gap.from, gap.until));
        assert_eq!(gaps.collect::<Vec<_>>(), [(1, 1, 5)]);
        let progress = env.store.progress(TOPIC).await.expect("postgres");
        let offsets: Vec<_> = progress.iter().map(|p| p.next_offset).collect();
        assert_eq!(offsets, [2, 6]);
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn an_unreadable_record_is_parked_behind_the_progress() {
    with(|env| async move {
        begun(&env).await;
        let one = order("alice", 7, &[1]);
        let arrivals = [arrival(0, 1, &one), unreadable(2, Some(b"?"), "no JSON")];
        let batch = stored(&env, &arrivals).await;
        assert_eq!((batch.orders.len(), batch.parked.len()), (1, 1));
        assert_eq!(next_offset(&env).await, 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_equal_batches_one_creates_the_orders() {
    with(|env| async move {
        begun(&env).await;
        for round in 0..50 {
            let orders: Vec<_> = (0..20)
                .map(|seat| order("alice", 100 + round, &[seat]))
                .collect();
            let arrivals = from(1 + 20 * round, &orders);
            let (one, two) = tokio::join!(
                env.store.store_orders(&arrivals, MIN_PAY_MS),
                env.store.store_orders(&arrivals, MIN_PAY_MS)
            );
            let mut all = Vec::new();
            for batch in [&one, &two] {
                assert_eq!(batch.unfinished, None);
                let mut kinds: Vec<_> =
                    decisions(batch).into_iter().map(|(_, kind)| kind).collect();
                kinds.dedup();
                all.extend(kinds);
            }
            all.sort();
            assert_eq!(all, ["AlreadyThere", "Created"]);
        }
        assert_eq!(next_offset(&env).await, 1_001);
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_ends_only_if_no_order_needs_more() {
    with(|env| async move {
        begun(&env).await;
        let orders = [
            order("alice", 7, &[1]),
            order("bob", 7, &[2]),
            order("carol", 7, &[3]),
        ];
        env.store
            .pay(&payment("early", &orders[2]))
            .await
            .expect("postgres");
        let arrivals = from(1, &orders);
        let batch = stored(&env, &arrivals).await;
        let settled: Vec<_> = batch
            .orders
            .iter()
            .map(|order| (order.request.order, order.version()))
            .collect();
        env.store
            .cancel(orders[1].order, &orders[1].user)
            .await
            .expect("postgres");
        let end = async || {
            let mut open = env
                .store
                .end_batches(&batch.unsettled, &settled)
                .await
                .expect("postgres");
            open.sort();
            open
        };
        let mut expected = [orders[1].order, orders[2].order];
        expected.sort();
        assert_eq!(
            end().await,
            expected,
            "one is cancelled, for one a payment waits"
        );
        assert_eq!(env.number("SELECT count(*) FROM unsettled").await, 1);
        env.store
            .match_payments(&[orders[2].order])
            .await
            .expect("postgres");
        assert_eq!(end().await, expected, "both have changed");
        assert_eq!(env.number("SELECT count(*) FROM unsettled").await, 1);
    })
    .await;
}
