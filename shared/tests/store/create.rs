//! A batch of orders: `store_orders`.

use shared::sale::Status;
use shared::store::{Decision, Fence, Fenced, Holder};

use crate::environment::{Environment, MIN_PAY_MS, arrival, decisions, keyed, order, with};

#[tokio::test]
async fn a_redelivered_order_is_stored_once() {
    with(|env| async move {
        let first = order("alice", 7, &[3, 4]);
        let arrivals = [arrival(0, 10, &first), arrival(0, 11, &first)];
        let stored = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        assert_eq!(stored.unfinished, None);
        assert_eq!(decisions(&stored), [(first.order, "Created".to_owned())]);
        assert_eq!(
            stored.orders[0].row().into_owned(),
            env.row(first.order)
                .await
                .with_remaining_time_of(&stored.orders[0].row())
        );

        let again = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        assert_eq!(
            decisions(&again),
            [(first.order, "AlreadyThere".to_owned())]
        );
        assert_eq!(env.number("SELECT count(*) FROM orders").await, 1);
        assert_eq!(
            env.number("SELECT count(*) FROM order_seats WHERE program = 7 AND seat IN (3, 4)")
                .await,
            2
        );
        assert_eq!(env.number("SELECT count(*) FROM parked").await, 0);
        env.check_invariants().await;
    })
    .await;
}

/// Compares rows without the remaining time, which is measured at every read.
pub(crate) trait SameRemainingTime {
    fn with_remaining_time_of(self, other: &Self) -> Self;
}

impl SameRemainingTime for shared::store::OrderRow {
    fn with_remaining_time_of(mut self, other: &Self) -> Self {
        self.remaining_ms = other.remaining_ms;
        self
    }
}

#[tokio::test]
async fn pay_by_is_promised_or_minimum() {
    with(|env| async move {
        let on_time = order("alice", 7, &[1]);
        let mut late = order("bob", 7, &[2]);
        late.pay_by_ms = 1;
        env.create(&[on_time.clone(), late.clone()]).await;
        assert_eq!(
            env.row(on_time.order).await.pay_by_ms,
            Some(on_time.pay_by_ms)
        );
        let remaining = env.row(late.order).await.remaining_ms.expect("pay_by");
        assert!((1..=MIN_PAY_MS as i64).contains(&remaining), "{remaining}");
    })
    .await;
}

#[tokio::test]
async fn a_taken_seat_rejects_the_whole_order() {
    with(|env| async move {
        let holder = order("alice", 7, &[5]);
        env.create(std::slice::from_ref(&holder)).await;
        let late = order("bob", 7, &[4, 5, 6]);
        let arrivals = [arrival(0, 1, &late)];
        let stored = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        let who = Holder {
            number: holder.order,
            nonce: holder.nonce,
        };
        assert_eq!(
            stored.orders[0].decision,
            Decision::Rejected { holders: vec![who] }
        );
        let row = env.row(late.order).await;
        assert_eq!(
            (row.status, row.reason.as_deref()),
            (Status::Rejected, Some("seats_taken"))
        );
        assert_eq!(row.seats.len(), 3, "the row keeps the requested seats");
        assert_eq!(env.number("SELECT count(*) FROM order_seats").await, 1);
        // A redelivery stays rejected, even if the seat is free by then.
        env.store
            .cancel(holder.order, &holder.user)
            .await
            .expect("postgres");
        let again = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        assert_eq!(again.orders[0].decision, Decision::AlreadyThere);
        assert_eq!(again.orders[0].row().status, Status::Rejected);
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn within_a_batch_the_lower_number_wins() {
    with(|env| async move {
        let mut two = [order("alice", 7, &[1, 2]), order("bob", 7, &[2, 3])];
        two.sort_by_key(|o| o.order);
        let [low, high] = two;
        let arrivals = [arrival(0, 0, &high), arrival(1, 0, &low)];
        let stored = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        assert_eq!(
            decisions(&stored),
            [
                (low.order, "Created".to_owned()),
                (high.order, "Rejected".to_owned())
            ]
        );
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn another_order_under_a_stored_number_is_parked() {
    with(|env| async move {
        let first = order("alice", 7, &[1]);
        env.create(std::slice::from_ref(&first)).await;
        let before = env.row(first.order).await;
        let mut other_nonce = order("mallory", 7, &[2]);
        other_nonce.order = first.order;
        let mut other_content = first.clone();
        other_content.seats = order("x", 7, &[9]).seats;
        let arrivals = [
            arrival(0, 1, &other_nonce),
            arrival(0, 2, &other_content),
            arrival(0, 3, &first),
        ];
        let stored = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        assert_eq!(stored.unfinished, None);
        assert_eq!(
            stored.parked.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
            [0, 1]
        );
        assert!(
            stored
                .orders
                .iter()
                .any(|o| o.decision == Decision::Conflict && o.request.nonce == other_nonce.nonce)
        );
        assert_eq!(
            env.number(
                "SELECT count(*) FROM parked WHERE reason LIKE 'order % is stored already%'"
            )
            .await,
            2
        );
        assert_eq!(
            env.row(first.order).await.with_remaining_time_of(&before),
            before
        );
        assert_eq!(env.number("SELECT count(*) FROM order_seats").await, 1);
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_fenced_number_stays_void() {
    with(|env| async move {
        let given_up = order("alice", 7, &[1]);
        let fence = fence_of(&given_up);
        assert!(matches!(env.store.fence(&fence).await, Ok(Fenced::New(_))));
        let arrivals = [arrival(0, 0, &given_up)];
        let stored = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        assert_eq!(stored.orders[0].decision, Decision::Void);
        assert_eq!(env.status(given_up.order).await, Status::Void);
        assert_eq!(env.number("SELECT count(*) FROM order_seats").await, 0);
    })
    .await;
}

pub(crate) fn fence_of(order: &shared::message::OrderRequested) -> Fence {
    Fence::of_message(order, "abandoned")
}

#[tokio::test]
async fn one_key_is_one_order_unless_void() {
    with(|env| async move {
        let first = keyed(order("alice", 7, &[1]), "once");
        env.create(std::slice::from_ref(&first)).await;
        let second = keyed(order("alice", 7, &[2]), "once");
        let arrivals = [arrival(0, 1, &second)];
        let stored = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        let who = Holder {
            number: first.order,
            nonce: first.nonce,
        };
        assert_eq!(
            stored.orders[0].decision,
            Decision::Rejected { holders: vec![who] }
        );
        let row = env.row(second.order).await;
        assert_eq!(
            (row.status, row.duplicate_of),
            (Status::Rejected, Some(first.order))
        );
        assert_eq!(row.reason.as_deref(), Some("duplicate"));

        // Another user, another program, or a key whose order is void: no duplicates.
        let fenced = keyed(order("carol", 7, &[3]), "once");
        env.store.fence(&fence_of(&fenced)).await.expect("postgres");
        let others = [
            keyed(order("bob", 7, &[4]), "once"),
            keyed(order("alice", 8, &[5]), "once"),
            keyed(order("carol", 7, &[6]), "once"),
        ];
        for row in env.create(&others).await {
            assert_eq!(row.status, Status::Unpaid, "{row:?}");
        }
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn a_rejected_order_passes_its_key_on() {
    with(|env| async move {
        env.create(&[order("holder", 7, &[1])]).await;
        let mut two = [
            keyed(order("alice", 7, &[0]), "k"),
            keyed(order("alice", 7, &[0]), "k"),
        ];
        two.sort_by_key(|o| o.order);
        two[0].seats = order("x", 7, &[1]).seats;
        two[1].seats = order("x", 7, &[2]).seats;
        env.create(&two).await;
        assert_eq!(env.status(two[0].order).await, Status::Rejected);
        assert_eq!(env.status(two[1].order).await, Status::Unpaid);
        env.check_invariants().await;
    })
    .await;
}

#[tokio::test]
async fn progress_follows_commits_and_detects_recreated_topics() {
    with(|env| async move {
        let orders: Vec<_> = (0..4).map(|seat| order("alice", 7, &[seat])).collect();
        let arrivals = [
            arrival(0, 5, &orders[0]),
            arrival(0, 9, &orders[1]),
            arrival(2, 0, &orders[2]),
        ];
        env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        assert_eq!(progress(&env).await, [(0, 1, 10), (2, 1, 1)]);
        // A redelivery does not move the progress back.
        env.store.store_orders(&arrivals[..1], MIN_PAY_MS).await;
        assert_eq!(progress(&env).await, [(0, 1, 10), (2, 1, 1)]);
        let mut anew = arrival(0, 0, &orders[3]);
        anew.appended_ms = Some(1_800_000_000_000);
        let anew = [anew];
        let stored = env.store.store_orders(&anew, MIN_PAY_MS).await;
        assert_eq!(
            stored.recreated,
            [(crate::environment::TOPIC.to_owned(), 0)]
        );
        assert_eq!(progress(&env).await, [(0, 2, 1), (2, 1, 1)]);
        assert_eq!(
            env.status(orders[3].order).await,
            Status::Unpaid,
            "records of the new topic are stored"
        );
    })
    .await;
}

async fn progress(env: &Environment) -> Vec<(i32, i32, i64)> {
    let all = env
        .store
        .progress(crate::environment::TOPIC)
        .await
        .expect("postgres");
    all.into_iter()
        .map(|p| (p.partition, p.incarnation, p.next_offset))
        .collect()
}
