//! Barriers from the request to the proof that an accepted order is lost.

use shared::message::{Barrier, Nonce, OrderRequested};
use shared::store::BarrierWait;

use crate::environment::{Environment, MIN_PAY_MS, TOPIC, order, unreadable, with};

fn token(n: u8) -> Nonce {
    Nonce::new([n; 16])
}

fn wait(order: &OrderRequested) -> BarrierWait {
    BarrierWait {
        number: order.order,
        nonce: order.nonce,
        partition: 0,
    }
}

impl Environment {
    async fn request(&self, order: &OrderRequested) {
        self.store
            .request_barriers(TOPIC, &[wait(order)])
            .await
            .expect("postgres");
    }

    async fn claim(&self, n: u8) -> Vec<i32> {
        self.store
            .claim_barriers(TOPIC, token(n))
            .await
            .expect("postgres")
    }

    /// Order-create reads a barrier.
    async fn read(&self, offset: i64, n: u8) {
        let barrier = Barrier::new(token(n)).encode();
        let records = [unreadable(offset, Some(barrier.as_bytes()), "no order")];
        let stored = self.store.store_orders(&records, MIN_PAY_MS).await;
        assert_eq!((stored.unfinished, stored.parked), (None, vec![]));
    }

    async fn is_behind(&self, order: &OrderRequested) -> bool {
        let behind = self
            .store
            .behind_barriers(&[order.order])
            .await
            .expect("postgres");
        behind.contains(&(order.order, order.nonce))
    }
}

#[tokio::test]
async fn an_order_is_behind_a_passed_barrier() {
    with(|env| async move {
        let lost = order("alice", 7, &[0]);
        env.request(&lost).await;
        assert!(!env.is_behind(&lost).await);
        assert_eq!(env.claim(1).await, [0]);
        assert_eq!(
            env.claim(2).await,
            Vec::<i32>::new(),
            "one was claimed already"
        );
        env.read(0, 9).await;
        assert!(
            !env.is_behind(&lost).await,
            "the barrier of a filling was not requested here"
        );
        env.read(1, 1).await;
        assert!(env.is_behind(&lost).await);
        // Another order of the same number was not accepted then.
        let other = OrderRequested {
            nonce: token(5),
            ..lost.clone()
        };
        assert!(!env.is_behind(&other).await);
        assert_eq!(
            env.claim(3).await,
            Vec::<i32>::new(),
            "no further barrier is requested"
        );
    })
    .await;
}

#[tokio::test]
async fn a_barrier_proves_nothing_for_later_requests() {
    with(|env| async move {
        let early = order("alice", 7, &[0]);
        let late = order("bob", 7, &[1]);
        env.request(&early).await;
        env.claim(1).await;
        // Accepted after the barrier was appended.
        env.request(&late).await;
        env.request(&early).await;
        env.read(0, 1).await;
        assert!(env.is_behind(&early).await);
        assert!(!env.is_behind(&late).await);
        assert_eq!(env.claim(2).await, [0]);
        env.read(1, 2).await;
        assert!(env.is_behind(&late).await);
    })
    .await;
}

#[tokio::test]
async fn an_unread_barrier_is_replaced() {
    with(|env| async move {
        let lost = order("alice", 7, &[0]);
        env.request(&lost).await;
        env.claim(1).await;
        // Deleted before order-create read it.
        env.run("UPDATE barriers SET send_after = now()").await;
        assert_eq!(env.claim(2).await, [0]);
        env.read(7, 1).await;
        assert!(!env.is_behind(&lost).await, "only the latest counts");
        env.read(8, 2).await;
        assert!(env.is_behind(&lost).await);
    })
    .await;
}

#[tokio::test]
async fn a_stored_order_waits_for_no_barrier() {
    with(|env| async move {
        let stored = order("alice", 7, &[0]);
        let lost = order("bob", 7, &[1]);
        env.request(&stored).await;
        env.request(&lost).await;
        env.create(std::slice::from_ref(&stored)).await;
        assert_eq!(env.store.delete_barrier_waits().await, Ok(1));
        assert_eq!(env.number("SELECT count(*) FROM barrier_waits").await, 1);
    })
    .await;
}
