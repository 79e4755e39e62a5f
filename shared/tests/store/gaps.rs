//! Offsets that a consumer never received, and their replay.

use shared::message::{Barrier, Nonce, UserId};
use shared::sale::Status;
use shared::store::GapRow;

use crate::calls::records;
use crate::environment::{Environment, MIN_PAY_MS, TOPIC, arrival, order, unreadable, with};

impl Environment {
    async fn gaps(&self, open_only: bool) -> Vec<GapRow> {
        self.store
            .gaps(open_only, None, 10)
            .await
            .expect("postgres")
    }

    /// The open gaps: first offset, replayed up to, offset behind the last.
    async fn open(&self) -> Vec<(i64, i64, i64)> {
        self.gaps(true)
            .await
            .into_iter()
            .map(|row| (row.gap.from, row.replayed_until, row.gap.until))
            .collect()
    }
}

#[tokio::test]
async fn an_order_lost_with_postgres_is_a_gap() {
    with(|env| async move {
        let orders = [
            order("alice", 7, &[0]),
            order("bob", 7, &[1]),
            order("carol", 7, &[2]),
        ];
        env.create(&orders[..2]).await;
        // Postgres fails over without its last transaction, but the consumer group has committed
        // offset 2.
        env.run("DELETE FROM order_seats WHERE seat = 1; DELETE FROM orders WHERE user_id = 'bob'")
            .await;
        env.run("UPDATE progress SET next_offset = 1").await;
        let barrier = Barrier::new(Nonce::new([7; 16])).encode();
        let records = [unreadable(2, Some(barrier.as_bytes()), "no order")];
        let stored = env.store.store_orders(&records, MIN_PAY_MS).await;
        assert_eq!((stored.gaps.len(), stored.parked.len()), (1, 0));
        assert_eq!(env.open().await, [(1, 1, 2)]);
        assert_eq!(
            env.store.progress(TOPIC).await.expect("postgres")[0].next_offset,
            3,
            "the gate may open"
        );

        // The operator sets the consumer group back.
        let replay = [
            arrival(0, 1, &orders[1]),
            unreadable(2, Some(barrier.as_bytes()), "no order"),
        ];
        env.store.store_orders(&replay, MIN_PAY_MS).await;
        assert_eq!(env.status(orders[1].order).await, Status::Unpaid);
        let gaps = env.gaps(false).await;
        assert_eq!(
            (gaps.len(), gaps[0].closed_why.as_deref()),
            (1, Some("replayed"))
        );
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_replay_past_a_gap_closes_it() {
    with(|env| async move {
        let barrier = Barrier::new(Nonce::new([7; 16])).encode();
        let record = |offset| unreadable(offset, Some(barrier.as_bytes()), "no order");
        let deliver = async |offsets: &[i64]| {
            let records: Vec<_> = offsets.iter().copied().map(record).collect();
            env.store.store_orders(&records, MIN_PAY_MS).await.gaps
        };
        deliver(&[0]).await;
        assert_eq!(deliver(&[10, 11]).await.len(), 1);
        // A redelivery of later records replays nothing.
        assert_eq!(deliver(&[10, 11, 12]).await, vec![]);
        assert_eq!(env.open().await, [(1, 1, 10)]);
        deliver(&[2, 3]).await;
        assert_eq!(env.open().await, [(1, 4, 10)]);
        // The last offsets of the gap are a transaction marker, so the replay continues behind it.
        deliver(&[4, 5, 8]).await;
        assert_eq!(env.open().await, [(1, 9, 10)]);
        deliver(&[10, 11, 12, 13]).await;
        assert_eq!(env.open().await, []);
        assert_eq!(
            env.store.progress(TOPIC).await.expect("postgres")[0].next_offset,
            14
        );
    })
    .await;
}

#[tokio::test]
async fn records_of_one_batch_leave_no_gap() {
    with(|env| async move {
        let mut orders = [
            order("alice", 7, &[0]),
            order("bob", 7, &[1]),
            order("carol", 7, &[2]),
        ];
        env.create(&orders[..1]).await;
        // The timestamp is out of range for Postgres, so the batch is bisected. Offsets 2 to 4 are
        // markers.
        orders[2].pay_by_ms = i64::MAX;
        let batch = [arrival(0, 1, &orders[1]), arrival(0, 5, &orders[2])];
        let stored = env.store.store_orders(&batch, MIN_PAY_MS).await;
        assert_eq!(
            (stored.unfinished, stored.parked.len(), stored.gaps),
            (None, 1, vec![])
        );
    })
    .await;
}

#[tokio::test]
async fn an_operator_closes_a_gap_once() {
    with(|env| async move {
        env.create(&[order("alice", 7, &[0])]).await;
        env.store
            .store_orders(&[arrival(0, 5, &order("bob", 7, &[1]))], MIN_PAY_MS)
            .await;
        let id = env.gaps(true).await[0].id;
        let who = UserId::new("operator").expect("valid");
        assert_eq!(
            env.store.close_gap(id, &who, "deleted by retention").await,
            Ok(true)
        );
        assert_eq!(env.store.close_gap(id, &who, "again").await, Ok(false));
        let row = env.gaps(false).await.remove(0);
        assert_eq!(
            (row.closed_by.as_deref(), row.closed_why.as_deref()),
            (Some("operator"), Some("deleted by retention"))
        );
        assert_eq!(env.open().await, []);
    })
    .await;
}

#[tokio::test]
async fn replayed_calls_of_a_gap_count_once() {
    with(|env| async move {
        env.collect(&records(0, 0..10)).await;
        let collected = env.collect(&records(0, 15..20)).await;
        assert_eq!((collected.added, collected.gaps.len()), (5, 1));
        let replay = env.collect(&records(0, 8..13)).await;
        assert_eq!((replay.added, replay.repeated), (3, 2));
        let replay = env.collect(&records(0, 8..22)).await;
        assert_eq!((replay.added, replay.repeated), (4, 10));
        assert_eq!(env.open().await, []);
        env.check_calls(22).await;
        assert_eq!(env.collect(&records(0, 0..22)).await.added, 0);
    })
    .await;
}
