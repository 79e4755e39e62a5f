//! `store_orders` compared with a small model: random batches with overlapping seats, repeated
//! numbers and shared keys.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use shared::message::{CategoryNo, OrderRequested};
use shared::sale::Status;

use crate::environment::{MIN_PAY_MS, arrival, keyed, order, with};

/// An order in the model.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    order: OrderRequested,
    status: Status,
}

#[derive(Debug, Default)]
struct Model {
    orders: BTreeMap<i64, Known>,
    seats: BTreeMap<(i64, u32), i64>,
    parked: usize,
}

impl Model {
    /// Delivers one order in a batch of its own.
    fn deliver(&mut self, order: &OrderRequested) {
        let number = order.order.get();
        if let Some(known) = self.orders.get(&number) {
            self.parked += usize::from(known.order != *order);
            return;
        }
        let key_taken = order.idempotency_key.is_some()
            && self.orders.values().any(|known| {
                let other = &known.order;
                known.status == Status::Unpaid
                    && (&other.user, other.program, &other.idempotency_key)
                        == (&order.user, order.program, &order.idempotency_key)
            });
        let wanted: Vec<_> = order
            .seats
            .iter()
            .map(|seat| (order.program.get(), seat.get()))
            .collect();
        let seat_taken = wanted.iter().any(|seat| self.seats.contains_key(seat));
        let status = if key_taken || seat_taken {
            Status::Rejected
        } else {
            Status::Unpaid
        };
        if status == Status::Unpaid {
            self.seats
                .extend(wanted.into_iter().map(|seat| (seat, number)));
        }
        self.orders.insert(
            number,
            Known {
                order: order.clone(),
                status,
            },
        );
    }
}

/// A draft of an order: number, buyer, seats, key, and whether it is a changed copy.
type Draft = (usize, u8, BTreeSet<u32>, Option<u8>, bool);

fn draft() -> impl Strategy<Value = Draft> {
    let seats = proptest::collection::btree_set(0..12_u32, 1..4);
    (
        0..12_usize,
        0..3_u8,
        seats,
        proptest::option::of(0..3_u8),
        proptest::bool::weighted(0.1),
    )
}

#[tokio::test]
async fn single_records_end_as_in_the_model() {
    with(|env| async move {
        let mut runner = TestRunner::default();
        for case in 0..60_i64 {
            let drafts = proptest::collection::vec(draft(), 1..30)
                .new_tree(&mut runner)
                .expect("drafts")
                .current();
            let orders = orders_of(&drafts, 1 + case);
            let mut model = Model::default();
            let arrivals: Vec<_> = orders
                .iter()
                .enumerate()
                .map(|(at, order)| arrival(case as i32, at as i64, order))
                .collect();
            for one in arrivals.chunks(1) {
                assert_eq!(
                    env.store.store_orders(one, MIN_PAY_MS).await.unfinished,
                    None
                );
            }
            for order in &orders {
                model.deliver(order);
            }
            for known in model.orders.values() {
                assert_eq!(
                    env.status(known.order.order).await,
                    known.status,
                    "{known:?} in {orders:?}"
                );
            }
            let parked =
                sqlx::query_scalar::<_, i64>("SELECT count(*) FROM parked WHERE partition = $1")
                    .bind(case as i32);
            assert_eq!(
                parked.fetch_one(&env.raw).await.expect("a number"),
                model.parked as i64,
                "{orders:?}"
            );
        }
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_keeps_the_promises_of_its_records() {
    with(|env| async move {
        let mut runner = TestRunner::default();
        for case in 0..150_i64 {
            let drafts = proptest::collection::vec(draft(), 1..40)
                .new_tree(&mut runner)
                .expect("drafts")
                .current();
            let orders = orders_of(&drafts, 1 + case);
            let arrivals: Vec<_> = orders
                .iter()
                .enumerate()
                .map(|(at, order)| arrival(case as i32, at as i64, order))
                .collect();
            let (left, right) = arrivals.split_at(arrivals.len() / 2);
            for part in [left, right, &arrivals[..]] {
                let stored = env.store.store_orders(part, MIN_PAY_MS).await;
                assert_eq!(stored.unfinished, None);
            }
            let rows: BTreeMap<_, _> = {
                let numbers: Vec<_> = orders.iter().map(|order| order.order).collect();
                env.store
                    .orders(&numbers)
                    .await
                    .expect("postgres")
                    .into_iter()
                    .map(|row| (row.number, row))
                    .collect()
            };
            let mut keys = BTreeSet::new();
            for order in &orders {
                let row = rows.get(&order.order).expect("every number has a row");
                assert!(
                    matches!(row.status, Status::Unpaid | Status::Rejected),
                    "{row:?}"
                );
                if row.status == Status::Unpaid
                    && let Some(key) = &row.idempotency_key
                {
                    keys.insert((row.user.clone(), key.clone(), order.order));
                }
            }
            let distinct: BTreeSet<_> = keys.iter().map(|(user, key, _)| (user, key)).collect();
            assert_eq!(
                distinct.len(),
                keys.len(),
                "one key, two live orders: {keys:?}"
            );
            let any_taken = rows.values().any(|row| row.status == Status::Unpaid);
            assert!(
                any_taken,
                "no order competes with the lowest number of the first batch"
            );
        }
        env.check_invariants().await;
    })
    .await;
}

/// Orders of drafts. Equal numbers have equal nonces and content, unless the draft is a changed
/// copy.
fn orders_of(drafts: &[Draft], program: i64) -> Vec<OrderRequested> {
    let mut made: BTreeMap<usize, OrderRequested> = BTreeMap::new();
    let users = ["alice", "bob", "carol"];
    drafts
        .iter()
        .map(|(slot, user, seats, key, changed)| {
            let fresh = || {
                let seats: Vec<u32> = seats.iter().copied().collect();
                let order = order(users[usize::from(*user)], program, &seats);
                key.map_or(order.clone(), |key| keyed(order, &format!("k{key}")))
            };
            let mut order = made.entry(*slot).or_insert_with(fresh).clone();
            if *changed
                && drafts.iter().filter(|(other, ..)| other == slot).count() > 1
                && order.category.get() == 0
            {
                order.category = CategoryNo::new(1).expect("category");
            }
            order
        })
        .collect()
}
