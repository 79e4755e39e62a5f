//! Stored orders whose timeout entries are due.

use futures::future::join_all;
use shared::gate::{Reserved, TimeoutJob};
use shared::message::{Cents, Nonce};
use shared::sale::Status;
use shared::store::{Payment, PaymentResult};

use crate::environment::{APPENDED_MS, hall, tick, with};
use crate::many::many_overdue;

#[tokio::test]
async fn an_overdue_order_is_closed_and_frees_seats() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        assert_eq!(env.free().await, 8);
        env.overdue(&order).await;
        let report = env.tick().await;
        assert_eq!(
            (report.claimed, report.outcome.closed, report.outcome.failed),
            (1, 1, 0)
        );
        assert_eq!(env.status(&order).await, Some(Status::Closed));
        assert_eq!(env.free().await, 10);
        assert!(!env.has_entry(&order).await);
        env.held("bob", &[3, 4]).await;
        assert_eq!(env.tick().await.claimed, 0);
    })
    .await;
}

#[tokio::test]
async fn a_paid_order_is_never_closed() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        // The payment is in time, but the gate is not settled, so the entry stays.
        let payment = Payment {
            reference: "p".to_owned(),
            order: order.order,
            amount: order.amount_cents,
        };
        assert_eq!(
            env.store.pay(&payment).await.expect("Postgres runs").result,
            PaymentResult::Applied
        );
        env.overdue(&order).await;
        let report = env.tick().await;
        assert_eq!((report.claimed, report.outcome.closed), (1, 0));
        assert_eq!(env.status(&order).await, Some(Status::Paid));
        assert_eq!(env.free().await, 8);
        assert!(!env.has_entry(&order).await);
    })
    .await;
}

#[tokio::test]
async fn a_payment_and_the_timeout_never_both_win() {
    with(4, |env| async move {
        let mut orders = Vec::new();
        for seat in 0..40 {
            orders.push(env.unpaid("alice", &[seat], i64::from(seat)).await);
        }
        for order in &orders {
            env.overdue(order).await;
        }
        let pay = |n: usize| {
            let payment = Payment {
                reference: format!("p{n}"),
                order: orders[n].order,
                amount: orders[n].amount_cents,
            };
            let store = env.store.clone();
            async move { store.pay(&payment).await.expect("Postgres runs").result }
        };
        let closer = env.closer(&[("CLAIM_LIMIT", "1")]);
        let (report, results) = tokio::join!(tick(&closer), join_all((0..40).map(pay)));
        report.expect("the servers run");
        // A payment between the closer's reads postponed the entry. The next tick acknowledges it.
        env.tick().await;
        let mut held = 0;
        for (order, result) in orders.iter().zip(results) {
            let status = env.status(order).await;
            match result {
                PaymentResult::Applied => assert_eq!(status, Some(Status::Paid)),
                PaymentResult::ToRefund => assert_eq!(status, Some(Status::Closed)),
                other => panic!("{other:?}"),
            }
            held += u32::from(status == Some(Status::Paid));
        }
        assert_eq!(env.free().await, 40 - held);
    })
    .await;
}

#[tokio::test]
async fn an_unmatched_payment_prevents_the_closing() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        unmatched(&env, order.order.get(), order.amount_cents).await;
        env.overdue(&order).await;
        assert_eq!(env.tick().await.outcome.closed, 0);
        assert_eq!(env.status(&order).await, Some(Status::Paid));
        assert_eq!(env.free().await, 8);
    })
    .await;
}

#[tokio::test]
async fn a_payment_of_another_amount_delays_once() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        unmatched(&env, order.order.get(), Cents::new(1).expect("valid")).await;
        env.overdue(&order).await;
        env.tick().await;
        env.due(&order).await;
        env.tick().await;
        assert_eq!(env.status(&order).await, Some(Status::Closed));
        assert_eq!(env.free().await, 10);
    })
    .await;
}

/// A payment whose transaction missed the order.
async fn unmatched(env: &crate::environment::TestEnvironment, order: i64, amount: Cents) {
    sqlx::query(
        "INSERT INTO payments (reference, order_number, amount_cents, status) \
        VALUES ('p', $1, $2, 'unmatched')",
    )
    .bind(order)
    .bind(amount.get())
    .execute(&env.raw)
    .await
    .expect("statement");
}

#[tokio::test]
async fn an_order_with_time_left_is_postponed() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        assert!(env.due(&order).await);
        let report = env.tick().await;
        assert_eq!(
            (
                report.claimed,
                report.outcome.closed,
                report.outcome.put_off
            ),
            (1, 0, 1)
        );
        assert_eq!(env.status(&order).await, Some(Status::Unpaid));
        // The program allows fifteen minutes, of which the test has used few.
        let due = env.due_in_ms(&order).await;
        assert!((840_000..=900_000).contains(&due), "{due}");
    })
    .await;
}

#[tokio::test]
async fn a_number_of_another_order_frees_the_reservation() {
    with(1, |env| async move {
        let held = env.held("alice", &[3, 4]).await;
        let other = shared::message::OrderRequested {
            nonce: Nonce::new([9; 16]),
            ..held.clone()
        };
        let other = shared::message::OrderRequested {
            seats: env.request("bob", &[7, 8]).seats,
            ..other
        };
        env.create(Some(&other), 0, APPENDED_MS).await;
        env.due(&held).await;
        let report = env.tick().await;
        assert_eq!(
            (report.claimed, report.outcome.fenced, report.outcome.failed),
            (1, 0, 0)
        );
        assert_eq!(report.outcome.put_off, 0, "nothing is left to wait for");
        let row = env.row(&held).await.expect("stored");
        assert_eq!((row.nonce, row.status), (other.nonce, Status::Unpaid));
        assert!(matches!(
            env.reserve(&env.request("carol", &[3, 4])).await,
            Reserved::Held { .. }
        ));
    })
    .await;
}

#[tokio::test]
async fn one_tick_handles_all_due_entries() {
    with(20, |env| async move {
        many_overdue(&env, 200).await;
        let report = tick(&env.closer(&[("CLAIM_LIMIT", "16")]))
            .await
            .expect("the servers run");
        assert_eq!(
            (report.claimed, report.outcome.closed, report.unfinished),
            (200, 200, false)
        );
        assert_eq!(env.free().await, 200);
    })
    .await;
}

#[tokio::test]
async fn two_ticks_at_once_share_the_work() {
    with(20, |env| async move {
        many_overdue(&env, 200).await;
        let settings = [("CLAIM_LIMIT", "16")];
        let one = env.closer(&settings);
        let two = env.closer(&settings);
        let (one, two) = tokio::join!(tick(&one), tick(&two));
        let one = one.expect("the servers run");
        let two = two.expect("the servers run");
        assert_eq!(one.outcome.failed + two.outcome.failed, 0);
        // Each entry is claimed once, or removed by the other tick's sweep.
        let swept: u64 = [&one, &two]
            .iter()
            .filter_map(|report| report.sweep)
            .map(|swept| swept.closed)
            .sum();
        assert_eq!(one.claimed + two.claimed, 200, "{one:?} {two:?}");
        assert!(one.outcome.closed + two.outcome.closed <= 200);
        assert!(one.outcome.closed + two.outcome.closed + swept >= 200);
        assert_eq!(env.free().await, 200);
    })
    .await;
}

#[tokio::test]
async fn an_unreadable_entry_fails_no_other() {
    with(1, |env| async move {
        let good = env.unpaid("alice", &[1], 0).await;
        env.overdue(&good).await;
        // No order; an order without a reservation; a held order.
        let queue = env.gate.timeouts();
        for id in ["nonsense", "12345"] {
            let due = delay_queue::Due::At(1);
            queue
                .schedule(env.program.shard, id, "garbage", due)
                .await
                .expect("Redis runs");
        }
        let held = env.held("bob", &[5, 6]).await;
        env.due(&held).await;
        let _: u64 = env
            .redis(&[
                "HSET",
                &env.queue_key("job"),
                &held.order.to_string(),
                "garbage",
            ])
            .await;
        let report = env.tick().await;
        assert_eq!((report.claimed, report.outcome.failed), (4, 0));
        assert_eq!(env.status(&good).await, Some(Status::Closed));
        assert_eq!(env.status(&held).await, Some(Status::Void));
        assert_eq!(env.free().await, 10);
        let stats = queue.stats(env.program.shard).await.expect("Redis runs");
        assert_eq!((stats.waiting, stats.leased, stats.parked), (0, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn closed_orders_are_marked_until_they_are_settled() {
    with(1, |env| async move {
        let absent = env.store.create_program(hall(1), None);
        let absent = absent.await.expect("created");
        let mut stuck = env.request("alice", &[0]);
        stuck.program = absent.id;
        env.create(Some(&stuck), 0, APPENDED_MS).await;
        let job = TimeoutJob {
            program: stuck.program,
            nonce: stuck.nonce,
        };
        let queue = env.gate.timeouts();
        let (id, due) = (stuck.order.to_string(), delay_queue::Due::At(1));
        queue
            .schedule(env.program.shard, &id, &job.body(), due)
            .await
            .expect("Redis runs");
        let order = env.unpaid("bob", &[3, 4], 1).await;
        env.overdue(&order).await;
        env.run("DELETE FROM unsettled; UPDATE orders SET pay_by = now() - interval '1 second'")
            .await;
        let report = env.tick().await;
        assert_eq!((report.claimed, report.outcome.closed), (2, 2));
        let dirty = env.store.dirty(None, 10).await.expect("Postgres runs");
        let dirty: Vec<_> = dirty.iter().map(|row| row.number).collect();
        assert_eq!(dirty, [stuck.order], "its program is not in the gate");
        assert_eq!(env.store.counts().await.expect("Postgres runs").dirty, 1);
        assert_eq!(env.free().await, 10);
    })
    .await;
}
