//! Accepted orders whose records create never receives.

use shared::sale::Status;
use shared::store::Payment;

use crate::stage::{APPENDED_MS, with};

#[tokio::test]
async fn an_order_whose_record_was_deleted_ends() {
    with(1, |stage| async move {
        let order = stage.accepted("alice", &[3, 4], 5).await;
        let payment = Payment {
            reference: "p".to_owned(),
            order: order.order,
            amount: order.amount_cents,
        };
        stage.store.pay(&payment).await.expect("Postgres runs");
        // Records 0 to 5 are deleted, and create has nothing left to read.
        stage.due(&order).await;
        let report = stage.tick().await;
        assert_eq!(
            (report.outcome.put_off, report.outcome.fenced),
            (1, 0),
            "create may be behind"
        );
        assert!(
            stage.pass_barrier(6, APPENDED_MS).await,
            "a barrier is requested"
        );
        stage.due(&order).await;
        assert_eq!(stage.tick().await.outcome.fenced, 1);
        let row = stage.row(&order).await.expect("fenced");
        assert_eq!((row.status, row.seats), (Status::Void, order.seats.clone()));
        assert_eq!(stage.free().await, 10);
        let counts = stage.store.counts().await.expect("Postgres runs");
        assert_eq!((counts.unmatched_payments, counts.to_refund), (0, 1));
    })
    .await;
}

#[tokio::test]
async fn an_order_of_a_topic_since_created_again_ends() {
    with(1, |stage| async move {
        // The topic had a thousand records more; the new one has two, and create reads them.
        stage.create(None, 900, APPENDED_MS - 1).await;
        let order = stage.accepted("alice", &[3, 4], 1_000).await;
        stage.create(None, 0, APPENDED_MS + 1).await;
        stage.create(None, 1, APPENDED_MS + 2).await;
        stage.due(&order).await;
        assert_eq!(stage.tick().await.outcome.fenced, 0);
        assert!(stage.pass_barrier(2, APPENDED_MS + 3).await);
        stage.due(&order).await;
        assert_eq!(stage.tick().await.outcome.fenced, 1);
        assert_eq!(stage.status(&order).await, Some(Status::Void));
        assert_eq!(stage.free().await, 10);
    })
    .await;
}

#[tokio::test]
async fn an_order_stored_before_its_barrier_is_kept() {
    with(1, |stage| async move {
        let order = stage.accepted("alice", &[3, 4], 5).await;
        stage.due(&order).await;
        stage.tick().await;
        // Create was only behind: it stores the order, and then comes to the barrier.
        stage.create(Some(&order), 5, APPENDED_MS).await;
        assert!(stage.pass_barrier(6, APPENDED_MS).await);
        stage.due(&order).await;
        assert_eq!(stage.tick().await.outcome.fenced, 0);
        assert_eq!(stage.status(&order).await, Some(Status::Unpaid));
        assert_eq!(stage.free().await, 8);
    })
    .await;
}

#[tokio::test]
async fn orders_of_one_partition_share_a_barrier() {
    with(1, |stage| async move {
        let orders = [
            stage.accepted("alice", &[0, 1], 5).await,
            stage.accepted("bob", &[2, 3], 6).await,
        ];
        for order in &orders {
            stage.due(order).await;
        }
        assert_eq!(stage.tick().await.outcome.put_off, 2);
        assert!(stage.pass_barrier(7, APPENDED_MS).await);
        for order in &orders {
            stage.due(order).await;
        }
        assert_eq!(stage.tick().await.outcome.fenced, 2);
        assert_eq!(stage.free().await, 10);
    })
    .await;
}
