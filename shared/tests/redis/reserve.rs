//! Reserving seats.

use shared::gate::{Accepted, GateError, ReservationState, Reserved, SettleTo, Settled};
use shared::message::OrderNumber;
use shared::message::Shard;

use super::environment::{TestEnvironment, best, chosen, hash, idem, seat, settle_to, uid};

#[tokio::test]
async fn the_best_seats_are_in_the_shortest_run() {
    let environment = TestEnvironment::open(&[(3, 10)]).await;
    // Row 0: free 0-3 and 6-7; row 1 and 2 free.
    environment
        .held(environment.order(), "alice", chosen(&[4, 5, 8, 9]))
        .await;
    assert_eq!(
        environment.held(environment.order(), "bob", best(2)).await,
        [6, 7],
        "the run that fits"
    );
    assert_eq!(
        environment
            .held(environment.order(), "carol", best(5))
            .await,
        [10, 11, 12, 13, 14],
        "not across the end of row 0"
    );
    assert_eq!(
        environment.held(environment.order(), "dora", best(4)).await,
        [0, 1, 2, 3]
    );
}

#[tokio::test]
async fn a_refused_request_holds_nothing() {
    let environment = TestEnvironment::open(&[(1, 4)]).await;
    let query = async |user, want| {
        environment
            .gate
            .reserve(&environment.request(environment.order(), user, want))
            .await
            .expect("answers")
    };
    environment
        .held(environment.order(), "alice", chosen(&[1]))
        .await;
    assert_eq!(
        query("bob", best(3)).await,
        Reserved::NotAdjacent { free: 3 }
    );
    assert_eq!(
        query("bob", chosen(&[0, 1])).await,
        Reserved::SeatsTaken(vec![seat(1)])
    );
    assert_eq!(query("bob", chosen(&[3, 4])).await, Reserved::NoSuchSeat);
    assert_eq!(environment.free().await, 3);
    environment
        .held(environment.order(), "bob", chosen(&[0, 2, 3]))
        .await;
    assert_eq!(query("carol", best(1)).await, Reserved::SoldOut);
}

#[tokio::test]
async fn the_limit_counts_live_orders_only() {
    let environment = TestEnvironment::open(&[(2, 20)]).await;
    let first = environment.order();
    environment.held(first, "alice", best(4)).await;
    let third = environment
        .gate
        .reserve(&environment.request(environment.order(), "alice", best(3)))
        .await;
    assert_eq!(third, Ok(Reserved::LimitReached { have: 4 }));
    environment
        .held(environment.order(), "alice", best(2))
        .await;
    for _ in 0..2 {
        let gone = settle_to(first, SettleTo::Gone { forget_key: false });
        environment.gate.settle(&gone).await.expect("answers");
    }
    environment
        .held(environment.order(), "alice", best(4))
        .await;
    assert_eq!(environment.free().await, 34);
}

#[tokio::test]
async fn a_repeated_key_finds_its_order() {
    let environment = TestEnvironment::open(&[(2, 20)]).await;
    let first = environment.order();
    let mut request = environment.request(first, "alice", best(2));
    request.idempotency = Some((idem("click"), hash(0xaa)));
    let Ok(Reserved::Held { message: sent, .. }) = environment.gate.reserve(&request).await else {
        panic!("no seats")
    };
    assert!(sent.contains(r#""seats":[0,1],"#), "{sent}");
    assert!(
        matches!(
            environment.gate.reserve(&request).await,
            Ok(Reserved::Held { .. })
        ),
        "a lost answer is given again"
    );

    let again = environment.order();
    (request.order, request.nonce) = (again.order, again.nonce);
    match environment.gate.reserve(&request).await {
        Ok(Reserved::Again {
            order,
            nonce,
            state: ReservationState::Held,
            seats,
            message,
        }) => {
            assert_eq!((order, nonce), (first.order, first.nonce));
            assert_eq!(seats, vec![seat(0), seat(1)]);
            assert_eq!(message, sent);
        }
        other => panic!("{other:?}"),
    }
    request.idempotency = Some((idem("click"), hash(0xbb)));
    assert_eq!(
        environment.gate.reserve(&request).await,
        Ok(Reserved::KeyReused)
    );

    // The key is scoped to the user.
    let other = environment.order();
    let mut theirs = environment.request(other, "alice:click", best(1));
    theirs.idempotency = Some((idem("x"), hash(0xcc)));
    assert!(matches!(
        environment.gate.reserve(&theirs).await,
        Ok(Reserved::Held { .. })
    ));
    let mut mine = environment.request(environment.order(), "alice", best(1));
    mine.idempotency = Some((idem("click:x"), hash(0xdd)));
    assert!(matches!(
        environment.gate.reserve(&mine).await,
        Ok(Reserved::Held { .. })
    ));
    assert_eq!(environment.free().await, 36);
}

#[tokio::test]
async fn recall_finds_an_order_without_reserving() {
    let environment = TestEnvironment::open(&[(2, 20)]).await;
    let first = environment.order();
    let alice = uid("alice");
    let click = idem("click");
    let other = idem("other");
    let recall = async |key, hash| {
        environment
            .gate
            .recall(environment.at_program(), &alice, (key, hash), 30_000)
            .await
            .expect("answers")
    };
    assert_eq!(recall(&click, hash(0xaa)).await, None);
    let mut request = environment.request(first, "alice", best(2));
    request.idempotency = Some((click.clone(), hash(0xaa)));
    environment.gate.reserve(&request).await.expect("answers");
    match recall(&click, hash(0xaa)).await {
        Some(Reserved::Again {
            order,
            nonce,
            state: ReservationState::Held,
            seats,
            ..
        }) => {
            assert_eq!(
                (order, nonce, seats),
                (first.order, first.nonce, vec![seat(0), seat(1)])
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(recall(&click, hash(0xbb)).await, Some(Reserved::KeyReused));
    assert_eq!(recall(&other, hash(0xaa)).await, None);
    assert_eq!(environment.free().await, 38);
    let gone = settle_to(first, SettleTo::Gone { forget_key: false });
    environment.gate.settle(&gone).await.expect("answers");
    assert_eq!(
        recall(&click, hash(0xaa)).await,
        Some(Reserved::Ended {
            order: first.order,
            nonce: first.nonce
        })
    );
    let _: u64 = environment
        .query(&["DEL", &environment.program_key("head")])
        .await;
    assert_eq!(recall(&click, hash(0xaa)).await, Some(Reserved::Rebuild));
}

#[tokio::test]
async fn a_key_finds_its_order_in_every_state() {
    let environment = TestEnvironment::open(&[(2, 20)]).await;
    let first = environment.order();
    let query = async || {
        let mut request = environment.request(environment.order(), "alice", best(2));
        request.idempotency = Some((idem("click"), hash(0xaa)));
        environment.gate.reserve(&request).await.expect("answers")
    };
    let mut request = environment.request(first, "alice", best(2));
    request.idempotency = Some((idem("click"), hash(0xaa)));
    environment.gate.reserve(&request).await.expect("answers");
    assert_eq!(
        environment.gate.accept(first, 2, 7, 99, 60_000).await,
        Ok(Accepted::Yes)
    );
    let place = ReservationState::Accepted {
        partition: 2,
        offset: 7,
        appended_ms: 99,
    };
    assert!(matches!(query().await, Reserved::Again { state, .. } if state == place));
    let live = settle_to(
        first,
        SettleTo::Live {
            due_in_ms: Some(60_000),
        },
    );
    assert!(matches!(
        environment.gate.settle(&live).await,
        Ok(Settled::Done { .. })
    ));
    assert!(matches!(
        query().await,
        Reserved::Again { state: ReservationState::Stored, message, .. } if message.is_empty()
    ));
    environment
        .gate
        .settle(&settle_to(first, SettleTo::Gone { forget_key: false }))
        .await
        .expect("answers");
    assert_eq!(
        query().await,
        Reserved::Ended {
            order: first.order,
            nonce: first.nonce
        }
    );
    let mut forget = settle_to(first, SettleTo::Gone { forget_key: true });
    (forget.user, forget.key) = (Some(super::environment::uid("alice")), Some(idem("click")));
    environment.gate.settle(&forget).await.expect("answers");
    assert!(matches!(query().await, Reserved::Held { .. }));
}

#[tokio::test]
async fn a_used_order_number_is_refused() {
    let environment = TestEnvironment::open(&[(2, 20)]).await;
    let first = environment.order();
    environment.held(first, "alice", best(1)).await;
    let mut other = first;
    other.nonce = environment.order().nonce;
    assert_eq!(
        environment
            .gate
            .reserve(&environment.request(other, "bob", best(1)))
            .await,
        Ok(Reserved::NumberInUse)
    );
    environment
        .gate
        .settle(&settle_to(first, SettleTo::Gone { forget_key: true }))
        .await
        .expect("answers");
    assert_eq!(
        environment
            .gate
            .reserve(&environment.request(other, "bob", best(1)))
            .await,
        Ok(Reserved::NumberInUse)
    );
    assert_eq!(
        environment
            .gate
            .reserve(&environment.request(first, "alice", best(1)))
            .await,
        Ok(Reserved::NumberInUse),
        "a late reserve"
    );
    assert_eq!(environment.free().await, 40);
}

#[tokio::test]
async fn an_order_number_of_another_shard_is_refused() {
    let environment = TestEnvironment::open(&[(1, 4)]).await;
    let mut at = environment.order();
    at.order =
        OrderNumber::compose(1_795_371_222_316, Shard::new(10).expect("valid"), 1).expect("valid");
    let refused = environment
        .gate
        .reserve(&environment.request(at, "alice", best(1)))
        .await;
    assert!(
        matches!(refused, Err(GateError::Protocol(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn every_key_has_its_documented_lifetime() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let ttl = async |key: &str| environment.query::<i64>(&["PTTL", key]).await;
    // A due time is rounded up, by less than 1 ms.
    let within = |ms: i64, most: i64| {
        assert!(
            ms > most - 60_000 && ms <= most + 1,
            "{ms} is not just below {most}"
        );
    };
    let at = environment.order();
    let mut request = environment.request(at, "alice", best(2));
    request.idempotency = Some((idem("k"), hash(0xaa)));
    environment.gate.reserve(&request).await.expect("answers");
    within(ttl(&environment.key("idems:17:alice")).await, 90_000_000);
    within(
        environment.entry(at).await.expect("an entry") as i64,
        30_000,
    );
    for lasting in ["head", "owner", "user:alice", "longest:0", "seats:0:0"] {
        assert_eq!(
            ttl(&environment.program_key(lasting)).await,
            -1,
            "{lasting}"
        );
    }
    let resv = environment.key(&format!("resv:{}", at.order));
    assert_eq!(ttl(&resv).await, -1, "held: its timeout entry ends it");
    environment
        .gate
        .accept(at, 0, 0, 0, 900_000)
        .await
        .expect("answers");
    assert_eq!(ttl(&resv).await, -1, "accepted: its timeout entry ends it");
    within(
        environment.entry(at).await.expect("an entry") as i64,
        900_000,
    );
    environment
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
    within(
        environment.entry(at).await.expect("an entry") as i64,
        120_000,
    );
    environment
        .gate
        .settle(&settle_to(at, SettleTo::Live { due_in_ms: None }))
        .await
        .expect("answers");
    within(ttl(&resv).await, 3_600_000);
    assert_eq!(environment.entry(at).await, None, "paid: no timeout");
    environment
        .gate
        .settle(&settle_to(at, SettleTo::Gone { forget_key: false }))
        .await
        .expect("answers");
    within(
        ttl(&environment.key(&format!("tomb:{}", at.order))).await,
        3_600_000,
    );
    assert_eq!(ttl(&resv).await, -2, "gone");
}
