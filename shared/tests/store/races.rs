//! Two concurrent changes of one order, thousands of times: exactly one wins, and the invariants
//! hold.

use std::future::Future;
use std::sync::Arc;

use shared::message::OrderRequested;
use shared::sale::Status;
use shared::store::{Cancel, CloseDecision, Fenced, PaymentResult};

use crate::create::fence_of;
use crate::environment::{Environment, MIN_PAY_MS, arrival, behind_a_pooler, order, with};
use crate::paying::payment;

/// Concurrent races. Each takes two connections.
const CONCURRENCY: usize = 6;
/// Rounds of concurrent races.
const ROUNDS: usize = 400;
/// A pooler does not change when transactions of two sessions meet: some rounds show that the calls
/// work behind it.
const ROUNDS_BEHIND_A_POOLER: usize = 40;

/// Runs a race in each of `CONCURRENCY` lanes, `ROUNDS` times, each with an order of its own.
async fn race<F: Future<Output = ()> + Send + 'static>(
    env: &Environment,
    run: impl Fn(Environment, OrderRequested) -> F + Send + Sync + 'static,
) {
    let run = Arc::new(run);
    let rounds = if behind_a_pooler() {
        ROUNDS_BEHIND_A_POOLER
    } else {
        ROUNDS
    };
    let lanes: Vec<_> = (0..CONCURRENCY)
        .map(|lane| {
            let env = env.clone();
            let run = Arc::clone(&run);
            tokio::spawn(async move {
                for round in 0..rounds {
                    let program = (1 + lane * rounds + round) as i64;
                    run(env.clone(), order("alice", program, &[1, 2])).await;
                }
            })
        })
        .collect();
    for lane in lanes {
        lane.await.expect("every race ended well");
    }
    env.check_invariants().await;
}

async fn create(env: &Environment, order: &OrderRequested) {
    let arrivals = [arrival(0, 0, order)];
    let stored = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
    assert_eq!(stored.unfinished, None);
    let numbers: Vec<_> = stored
        .orders
        .iter()
        .map(|order| order.request.order)
        .collect();
    env.store.match_payments(&numbers).await.expect("postgres");
}

#[tokio::test(flavor = "multi_thread")]
async fn pay_and_close_never_both_win() {
    with(|env| async move {
        race(&env, |env, order| async move {
            create(&env, &order).await;
            env.make_overdue(order.order).await;
            let payment = payment(&order.order.to_string(), &order);
            let asked = [(order.order, order.nonce)];
            let (paid, closed) = tokio::join!(env.store.pay(&payment), env.store.close_due(&asked));
            let paid = paid.expect("postgres").result;
            let closed = closed.expect("postgres").decisions[0].decision;
            match env.status(order.order).await {
                Status::Paid => assert_eq!(paid, PaymentResult::Applied),
                Status::Closed => assert_eq!(
                    (paid, closed),
                    (PaymentResult::ToRefund, CloseDecision::Closed)
                ),
                other => panic!("{other}"),
            }
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pay_and_cancel_never_both_win() {
    with(|env| async move {
        race(&env, |env, order| async move {
            create(&env, &order).await;
            let payment = payment(&order.order.to_string(), &order);
            let (paid, cancelled) = tokio::join!(
                env.store.pay(&payment),
                env.store.cancel(order.order, &order.user)
            );
            let paid = paid.expect("postgres").result;
            let cancelled = cancelled.expect("postgres");
            match env.status(order.order).await {
                Status::Paid => assert!(
                    paid == PaymentResult::Applied && matches!(cancelled, Cancel::AlreadyFinal(_))
                ),
                Status::Cancelled => {
                    assert!(
                        paid == PaymentResult::ToRefund
                            && matches!(cancelled, Cancel::Cancelled(_))
                    );
                }
                other => panic!("{other}"),
            }
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn create_and_fence_never_both_win() {
    with(|env| async move {
        race(&env, |env, order| async move {
            let fence = fence_of(&order);
            let ((), fenced) = tokio::join!(create(&env, &order), env.store.fence(&fence));
            let status = env.status(order.order).await;
            match fenced.expect("postgres") {
                Fenced::New(_) => assert_eq!(status, Status::Void),
                Fenced::Existing(_) => assert_eq!(status, Status::Unpaid),
            }
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_concurrent_payment_and_order_always_match() {
    with(|env| async move {
        race(&env, |env, order| async move {
            let payment = payment(&order.order.to_string(), &order);
            let ((), paid) = tokio::join!(create(&env, &order), env.store.pay(&payment));
            paid.expect("postgres");
            assert_eq!(env.status(order.order).await, Status::Paid);
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_concurrent_payment_and_fence_always_match() {
    with(|env| async move {
        race(&env, |env, order| async move {
            let payment = payment(&order.order.to_string(), &order);
            let fence = fence_of(&order);
            let (fenced, paid) = tokio::join!(env.store.fence(&fence), env.store.pay(&payment));
            fenced.expect("postgres");
            paid.expect("postgres");
            assert_eq!(env.status(order.order).await, Status::Void);
        })
        .await;
        assert_eq!(
            env.number("SELECT count(*) FROM payments WHERE status <> 'to_refund'")
                .await,
            0
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_overlapping_batches_sell_no_seat_twice() {
    with(|env| async move {
        for round in 0..40_i64 {
            // Every lane delivers the same orders for seats of the same few rows, each batch in
            // another order of records.
            let orders: Vec<_> = (0..60_u32)
                .map(|n| order("alice", 1 + round, &[n % 20, 20 + n % 7]))
                .collect();
            let orders = Arc::new(orders);
            let lanes: Vec<_> = (0..4_usize)
                .map(|lane| {
                    let env = env.clone();
                    let orders = Arc::clone(&orders);
                    tokio::spawn(async move {
                        let turned = orders.iter().cycle().skip(lane * 15).take(orders.len());
                        let arrivals: Vec<_> = turned
                            .enumerate()
                            .map(|(at, order)| arrival(lane as i32, at as i64, order))
                            .collect();
                        let stored = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
                        assert_eq!(stored.unfinished, None);
                        assert_eq!(stored.parked, []);
                        assert_eq!(stored.orders.len(), orders.len());
                    })
                })
                .collect();
            for lane in lanes {
                lane.await.expect("stored");
            }
        }
        assert_eq!(env.number("SELECT count(*) FROM orders").await, 40 * 60);
        env.check_invariants().await;
    })
    .await;
}
