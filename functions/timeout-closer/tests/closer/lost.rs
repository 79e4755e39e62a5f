//! Accepted orders whose records order-create never receives.

use shared::sale::Status;
use shared::store::Payment;

use crate::environment::{APPENDED_MS, with};

#[tokio::test]
async fn an_order_whose_record_was_deleted_ends() {
    with(1, |env| async move {
        let order = env.accepted("alice", &[3, 4], 5).await;
        let payment = Payment {
            reference: "p".to_owned(),
            order: order.order,
            amount: order.amount_cents,
        };
        env.store.pay(&payment).await.expect("Postgres runs");
        // Records 0 to 5 are deleted, and order-create has nothing to read.
        env.due(&order).await;
        let report = env.tick().await;
        assert_eq!(
            (report.outcome.put_off, report.outcome.fenced),
            (1, 0),
            "order-create may be behind"
        );
        assert!(
            env.pass_barrier(6, APPENDED_MS).await,
            "a barrier is requested"
        );
        env.due(&order).await;
        assert_eq!(env.tick().await.outcome.fenced, 1);
        let row = env.row(&order).await.expect("fenced");
        assert_eq!((row.status, row.seats), (Status::Void, order.seats.clone()));
        assert_eq!(env.free().await, 10);
        let counts = env.store.counts().await.expect("Postgres runs");
        assert_eq!((counts.unmatched_payments, counts.to_refund), (0, 1));
    })
    .await;
}

#[tokio::test]
async fn an_order_of_a_recreated_topic_ends() {
    with(1, |env| async move {
        // The old topic had a thousand more records. The new one has two, which order-create reads.
        env.create(None, 900, APPENDED_MS - 1).await;
        let order = env.accepted("alice", &[3, 4], 1_000).await;
        env.create(None, 0, APPENDED_MS + 1).await;
        env.create(None, 1, APPENDED_MS + 2).await;
        env.due(&order).await;
        assert_eq!(env.tick().await.outcome.fenced, 0);
        assert!(env.pass_barrier(2, APPENDED_MS + 3).await);
        env.due(&order).await;
        assert_eq!(env.tick().await.outcome.fenced, 1);
        assert_eq!(env.status(&order).await, Some(Status::Void));
        assert_eq!(env.free().await, 10);
    })
    .await;
}

#[tokio::test]
async fn an_order_stored_before_its_barrier_is_kept() {
    with(1, |env| async move {
        let order = env.accepted("alice", &[3, 4], 5).await;
        env.due(&order).await;
        env.tick().await;
        // Order-create was only behind: it stores the order, then passes the barrier.
        env.create(Some(&order), 5, APPENDED_MS).await;
        assert!(env.pass_barrier(6, APPENDED_MS).await);
        env.due(&order).await;
        assert_eq!(env.tick().await.outcome.fenced, 0);
        assert_eq!(env.status(&order).await, Some(Status::Unpaid));
        assert_eq!(env.free().await, 8);
    })
    .await;
}

#[tokio::test]
async fn orders_of_one_partition_share_a_barrier() {
    with(1, |env| async move {
        let orders = [
            env.accepted("alice", &[0, 1], 5).await,
            env.accepted("bob", &[2, 3], 6).await,
        ];
        for order in &orders {
            env.due(order).await;
        }
        assert_eq!(env.tick().await.outcome.put_off, 2);
        assert!(env.pass_barrier(7, APPENDED_MS).await);
        for order in &orders {
            env.due(order).await;
        }
        assert_eq!(env.tick().await.outcome.fenced, 2);
        assert_eq!(env.free().await, 10);
    })
    .await;
}
