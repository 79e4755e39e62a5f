//! Step 1: what reserve promises.

use shared::gate::{Accepted, GateError, ReservationState, Reserved, SettleTo, Settled};
use shared::message::OrderNumber;
use shared::message::Shard;

use super::stage::{Stage, best, chosen, idem, seat, settle_to, uid};

#[tokio::test]
async fn the_best_seats_are_the_front_most_tightest_run_and_never_cross_a_row() {
    let stage = Stage::open(&[(3, 10)]).await;
    // Row 0: free 0-3 and 6-7; row 1 and 2 free.
    stage
        .held(stage.order(), "alice", chosen(&[4, 5, 8, 9]))
        .await;
    assert_eq!(
        stage.held(stage.order(), "bob", best(2)).await,
        [6, 7],
        "the run that fits"
    );
    assert_eq!(
        stage.held(stage.order(), "carol", best(5)).await,
        [10, 11, 12, 13, 14],
        "not across the end of row 0"
    );
    assert_eq!(
        stage.held(stage.order(), "dora", best(4)).await,
        [0, 1, 2, 3]
    );
}

#[tokio::test]
async fn what_cannot_be_had_is_said_and_nothing_is_held() {
    let stage = Stage::open(&[(1, 4)]).await;
    let ask = async |user, want| {
        stage
            .gate
            .reserve(&stage.wish(stage.order(), user, want))
            .await
            .expect("answers")
    };
    stage.held(stage.order(), "alice", chosen(&[1])).await;
    assert_eq!(ask("bob", best(3)).await, Reserved::NotAdjacent { free: 3 });
    assert_eq!(
        ask("bob", chosen(&[0, 1])).await,
        Reserved::SeatsTaken(vec![seat(1)])
    );
    assert_eq!(ask("bob", chosen(&[3, 4])).await, Reserved::NoSuchSeat);
    assert_eq!(stage.free().await, 3);
    stage.held(stage.order(), "bob", chosen(&[0, 2, 3])).await;
    assert_eq!(ask("carol", best(1)).await, Reserved::SoldOut);
}

#[tokio::test]
async fn a_buyer_never_holds_more_than_the_limit_and_ended_orders_do_not_count() {
    let stage = Stage::open(&[(2, 20)]).await;
    let first = stage.order();
    stage.held(first, "alice", best(4)).await;
    let third = stage
        .gate
        .reserve(&stage.wish(stage.order(), "alice", best(3)))
        .await;
    assert_eq!(third, Ok(Reserved::LimitReached { have: 4 }));
    stage.held(stage.order(), "alice", best(2)).await;
    for _ in 0..2 {
        let gone = settle_to(first, SettleTo::Gone { forget_key: false });
        stage.gate.settle(&gone).await.expect("answers");
    }
    stage.held(stage.order(), "alice", best(4)).await;
    assert_eq!(stage.free().await, 34);
}

#[tokio::test]
async fn the_same_key_finds_the_same_order_and_another_body_is_refused() {
    let stage = Stage::open(&[(2, 20)]).await;
    let first = stage.order();
    let mut wish = stage.wish(first, "alice", best(2));
    wish.idempotency = Some((idem("click"), "aa".into()));
    assert!(matches!(
        stage.gate.reserve(&wish).await,
        Ok(Reserved::Held { attempt: 1, .. })
    ));
    assert!(
        matches!(
            stage.gate.reserve(&wish).await,
            Ok(Reserved::Held { attempt: 1, .. })
        ),
        "a lost answer is given again"
    );

    let again = stage.order();
    (wish.order, wish.nonce) = (again.order, again.nonce);
    match stage.gate.reserve(&wish).await {
        Ok(Reserved::Again {
            order,
            nonce,
            state: ReservationState::Held,
            seats,
            message,
            attempt: 2,
        }) => {
            assert_eq!((order, nonce), (first.order, first.nonce));
            assert_eq!(
                (seats, message.as_str()),
                (vec![seat(0), seat(1)], r#"{"seats":[0,1]}"#)
            );
        }
        other => panic!("{other:?}"),
    }
    wish.idempotency = Some((idem("click"), "bb".into()));
    assert_eq!(stage.gate.reserve(&wish).await, Ok(Reserved::KeyReused));

    // Scoped to the user: names that run together stay apart.
    let other = stage.order();
    let mut theirs = stage.wish(other, "alice:click", best(1));
    theirs.idempotency = Some((idem("x"), "cc".into()));
    assert!(matches!(
        stage.gate.reserve(&theirs).await,
        Ok(Reserved::Held { .. })
    ));
    let mut mine = stage.wish(stage.order(), "alice", best(1));
    mine.idempotency = Some((idem("click:x"), "dd".into()));
    assert!(matches!(
        stage.gate.reserve(&mine).await,
        Ok(Reserved::Held { .. })
    ));
    assert_eq!(stage.free().await, 36);
}

#[tokio::test]
async fn an_earlier_order_is_recalled_without_holding_anything_new() {
    let stage = Stage::open(&[(2, 20)]).await;
    let first = stage.order();
    let alice = uid("alice");
    let click = idem("click");
    let other = idem("other");
    let recall = async |key, hash| {
        stage
            .gate
            .recall(stage.at_program(), &alice, (key, hash), 30_000)
            .await
            .expect("answers")
    };
    assert_eq!(recall(&click, "aa").await, None);
    let mut wish = stage.wish(first, "alice", best(2));
    wish.idempotency = Some((click.clone(), "aa".into()));
    stage.gate.reserve(&wish).await.expect("answers");
    match recall(&click, "aa").await {
        Some(Reserved::Again {
            order,
            nonce,
            state: ReservationState::Held,
            seats,
            attempt: 2,
            ..
        }) => {
            assert_eq!(
                (order, nonce, seats),
                (first.order, first.nonce, vec![seat(0), seat(1)])
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(recall(&click, "bb").await, Some(Reserved::KeyReused));
    assert_eq!(recall(&other, "aa").await, None);
    assert_eq!(stage.free().await, 38);
    let gone = settle_to(first, SettleTo::Gone { forget_key: false });
    stage.gate.settle(&gone).await.expect("answers");
    assert_eq!(
        recall(&click, "aa").await,
        Some(Reserved::Ended {
            order: first.order,
            nonce: first.nonce
        })
    );
    let _: u64 = stage.ask(&["DEL", &stage.program_key("head")]).await;
    assert_eq!(recall(&click, "aa").await, Some(Reserved::Rebuild));
}

#[tokio::test]
async fn a_key_finds_its_order_in_every_state_and_a_forgotten_one_makes_a_new_order() {
    let stage = Stage::open(&[(2, 20)]).await;
    let first = stage.order();
    let ask = async || {
        let mut wish = stage.wish(stage.order(), "alice", best(2));
        wish.idempotency = Some((idem("click"), "aa".into()));
        stage.gate.reserve(&wish).await.expect("answers")
    };
    let mut wish = stage.wish(first, "alice", best(2));
    wish.idempotency = Some((idem("click"), "aa".into()));
    stage.gate.reserve(&wish).await.expect("answers");
    assert_eq!(
        stage.gate.accept(first, 2, 7, 99, 60_000).await,
        Ok(Accepted::Yes)
    );
    let place = ReservationState::Accepted {
        partition: 2,
        offset: 7,
        appended_ms: 99,
    };
    assert!(matches!(ask().await, Reserved::Again { state, attempt: 1, .. } if state == place));
    let live = settle_to(
        first,
        SettleTo::Live {
            due_in_ms: Some(60_000),
        },
    );
    assert!(matches!(
        stage.gate.settle(&live).await,
        Ok(Settled::Done { .. })
    ));
    assert!(
        matches!(ask().await, Reserved::Again { state: ReservationState::Stored, message, .. } if message.is_empty())
    );
    stage
        .gate
        .settle(&settle_to(first, SettleTo::Gone { forget_key: false }))
        .await
        .expect("answers");
    assert_eq!(
        ask().await,
        Reserved::Ended {
            order: first.order,
            nonce: first.nonce
        }
    );
    let mut forget = settle_to(first, SettleTo::Gone { forget_key: true });
    (forget.user, forget.key) = (Some(super::stage::uid("alice")), Some(idem("click")));
    stage.gate.settle(&forget).await.expect("answers");
    assert!(matches!(ask().await, Reserved::Held { .. }));
}

#[tokio::test]
async fn a_number_in_use_or_ended_is_never_given_to_another_order() {
    let stage = Stage::open(&[(2, 20)]).await;
    let first = stage.order();
    stage.held(first, "alice", best(1)).await;
    let mut other = first;
    other.nonce = stage.order().nonce;
    assert_eq!(
        stage.gate.reserve(&stage.wish(other, "bob", best(1))).await,
        Ok(Reserved::NumberInUse)
    );
    stage
        .gate
        .settle(&settle_to(first, SettleTo::Gone { forget_key: true }))
        .await
        .expect("answers");
    assert_eq!(
        stage.gate.reserve(&stage.wish(other, "bob", best(1))).await,
        Ok(Reserved::NumberInUse)
    );
    assert_eq!(
        stage
            .gate
            .reserve(&stage.wish(first, "alice", best(1)))
            .await,
        Ok(Reserved::NumberInUse),
        "a late reserve"
    );
    assert_eq!(stage.free().await, 40);
}

#[tokio::test]
async fn an_order_number_of_another_shard_is_refused_before_redis_is_asked() {
    let stage = Stage::open(&[(1, 4)]).await;
    let mut at = stage.order();
    at.order =
        OrderNumber::compose(1_795_371_222_316, Shard::new(10).expect("valid"), 1).expect("valid");
    let refused = stage.gate.reserve(&stage.wish(at, "alice", best(1))).await;
    assert!(
        matches!(refused, Err(GateError::Protocol(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn every_key_has_the_lifetime_that_the_table_says() {
    let stage = Stage::open(&[(1, 10)]).await;
    let ttl = async |key: &str| stage.ask::<i64>(&["PTTL", key]).await;
    // A due time is rounded up, by less than 1 ms.
    let within = |ms: i64, most: i64| {
        assert!(
            ms > most - 60_000 && ms <= most + 1,
            "{ms} is not just below {most}"
        );
    };
    let at = stage.order();
    let mut wish = stage.wish(at, "alice", best(2));
    wish.idempotency = Some((idem("k"), "aa".into()));
    stage.gate.reserve(&wish).await.expect("answers");
    within(ttl(&stage.key("idem:17:5:alice:k")).await, 90_000_000);
    within(stage.entry(at).await.expect("an entry") as i64, 30_000);
    for lasting in ["head", "owner", "user:alice", "runs:0", "seats:0:0"] {
        assert_eq!(ttl(&stage.program_key(lasting)).await, -1, "{lasting}");
    }
    let resv = stage.key(&format!("resv:{}", at.order));
    assert_eq!(ttl(&resv).await, -1, "held: its timeout entry ends it");
    stage
        .gate
        .accept(at, 0, 0, 0, 900_000)
        .await
        .expect("answers");
    assert_eq!(ttl(&resv).await, -1, "accepted: its timeout entry ends it");
    within(stage.entry(at).await.expect("an entry") as i64, 900_000);
    stage
        .gate
        .settle(&settle_to(
            at,
            SettleTo::Live {
                due_in_ms: Some(120_000),
            },
        ))
        .await
        .expect("answers");
    within(ttl(&resv).await, 3_720_000);
    within(stage.entry(at).await.expect("an entry") as i64, 120_000);
    stage
        .gate
        .settle(&settle_to(at, SettleTo::Live { due_in_ms: None }))
        .await
        .expect("answers");
    within(ttl(&resv).await, 3_600_000);
    assert_eq!(stage.entry(at).await, None, "paid: no timeout");
    stage
        .gate
        .settle(&settle_to(at, SettleTo::Gone { forget_key: false }))
        .await
        .expect("answers");
    within(
        ttl(&stage.key(&format!("tomb:{}", at.order))).await,
        3_600_000,
    );
    assert_eq!(ttl(&resv).await, -2, "gone");
}
