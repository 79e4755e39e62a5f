//! Rows that are older than their retention are deleted, and no others.

use std::time::SystemTime;

use shared::message::{OrderNumber, OrderRequested, Shard};
use shared::sale::{RowRetention, Status};
use shared::store::{Arrival, Deleted, PaymentResult};

use crate::create::fence_of;
use crate::environment::{Environment, MIN_PAY_MS, arrival, order, unreadable, with};
use crate::paying::payment;
use crate::refunding::{LEASE, hand_out, pay, token};

const RETENTION: RowRetention = RowRetention {
    ended_days: 60,
    refunded_days: 100,
    parked_days: 10,
};
const DAY_MS: u64 = 24 * 3_600_000;

/// An order that was made so many days ago.
fn aged(days: u64, seat: u32) -> OrderRequested {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now_ms = now.expect("after 1970").as_millis() as u64;
    let shard = Shard::new(3).expect("shard");
    let number = OrderNumber::compose(now_ms - days * DAY_MS, shard, rand::random());
    OrderRequested {
        order: number.expect("number"),
        ..order("alice", 7, &[seat])
    }
}

async fn expire(env: &Environment) -> Deleted {
    let deleted = env.store.delete_expired(RETENTION, 100).await;
    deleted.expect("postgres")
}

/// Closes these orders, as of their time, and settles them.
async fn close(env: &Environment, orders: &[&OrderRequested]) {
    for order in orders {
        let number = order.order;
        env.run(&format!(
            "UPDATE orders SET status = 'closed', dirty = false WHERE number = {number};
             DELETE FROM order_seats WHERE order_number = {number}"
        ))
        .await;
    }
    env.run("DELETE FROM unsettled").await;
}

async fn kept(env: &Environment, order: &OrderRequested) -> bool {
    let row = env.store.order(order.order).await;
    row.expect("postgres").is_some()
}

#[tokio::test]
async fn ended_orders_are_deleted_and_live_ones_stay() {
    with(|env| async move {
        let [old, young, live, dirty, fenced] =
            [(61, 1), (59, 2), (61, 3), (61, 4), (61, 5)].map(|(days, seat)| aged(days, seat));
        let stored = [&old, &young, &live, &dirty].map(Clone::clone);
        env.create(&stored).await;
        close(&env, &[&old, &young, &dirty]).await;
        let dirty_row = format!(
            "UPDATE orders SET dirty = true WHERE number = {}",
            dirty.order
        );
        env.run(&dirty_row).await;
        env.store.fence(&fence_of(&fenced)).await.expect("postgres");
        let settled = format!(
            "UPDATE orders SET dirty = false WHERE number = {}",
            fenced.order
        );
        env.run(&settled).await;

        assert_eq!(expire(&env).await.orders, 2);
        assert!(!kept(&env, &old).await && !kept(&env, &fenced).await);
        for order in [&young, &live, &dirty] {
            assert!(kept(&env, order).await);
        }
        assert_eq!(expire(&env).await, Deleted::default());
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_record_too_late_for_its_fence_is_parked() {
    with(|env| async move {
        let order = aged(61, 1);
        // Appended a minute ago: an operator has replayed the parked record.
        let replayed = Arrival {
            appended_ms: Some((order.order.made_at_ms() + 61 * DAY_MS) as i64 - 60_000),
            ..arrival(0, 0, &order)
        };
        let read = [replayed.storable_within(RETENTION.ended_days)];
        let stored = env.store.store_orders(&read, MIN_PAY_MS).await;
        assert!(stored.orders.is_empty());
        let [(0, reason)] = &stored.parked[..] else {
            panic!("{:?}", stored.parked);
        };
        assert!(reason.as_str().starts_with("too late"), "{reason}");
        assert!(!kept(&env, &order).await);
    })
    .await;
}

#[tokio::test]
async fn payments_go_only_when_all_of_their_order_are_refunded() {
    with(|env| async move {
        let [done, waits, live] =
            [(200, 1), (200, 2), (200, 3)].map(|(days, seat)| aged(days, seat));
        env.create(&[done.clone(), waits.clone(), live.clone()])
            .await;
        assert_eq!(
            pay(&env, &payment("paid", &live)).await,
            PaymentResult::Applied
        );
        close(&env, &[&done, &waits]).await;
        for (reference, order) in [("d", &done), ("w", &waits), ("v", &waits), ("l", &live)] {
            let late = pay(&env, &payment(reference, order)).await;
            assert_eq!(late, PaymentResult::ToRefund);
        }
        env.store.request_refunds(100).await.expect("postgres");
        for refund in hand_out(&env, 1, LEASE).await {
            if refund.reference != "v" {
                let id = refund.id;
                env.store
                    .refund_done(id, token(1), "re")
                    .await
                    .expect("postgres");
            }
        }
        env.run("UPDATE orders SET dirty = false").await;
        assert_eq!(expire(&env).await, Deleted::default(), "received today");

        env.run("UPDATE payments SET received_at = now() - interval '101 days'")
            .await;
        assert_eq!(expire(&env).await.payments, 1);
        assert!(
            kept(&env, &waits).await,
            "one of its payments is not refunded"
        );
        assert_eq!(env.status(live.order).await, Status::Paid);
        assert!(!kept(&env, &done).await, "it has no payment any more");
        assert_eq!(env.number("SELECT count(*) FROM refunds").await, 3);
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn parked_records_that_wait_for_an_operator_stay() {
    with(|env| async move {
        let records = [0, 1, 2].map(|offset| unreadable(offset, Some(b"x"), "not JSON"));
        env.store.store_orders(&records, MIN_PAY_MS).await;
        env.run(
            "UPDATE parked SET parked_at = now() - interval '11 days';
             UPDATE parked SET state = 'replayed', replays = 1 WHERE log_offset > 0;
             UPDATE parked SET parked_at = now() WHERE log_offset = 2;
             INSERT INTO parked_replays (parked, attempt, asked_by, began_at)
             SELECT id, 1, 'operator', parked_at FROM parked WHERE state = 'replayed'",
        )
        .await;
        assert_eq!(expire(&env).await.parked, 1);
        assert_eq!(
            env.number("SELECT sum(log_offset)::bigint FROM parked")
                .await,
            2
        );
        assert_eq!(env.number("SELECT count(*) FROM parked_replays").await, 1);
    })
    .await;
}
