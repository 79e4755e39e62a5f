//! Steps 2 to 5: accept, abandon, settle.

use delay_queue::Fenced;
use shared::gate::{
    Abandoned, Accepted, OrderAt, ReservationState, Reserved, Settle, SettleTo, Settled, TimeoutJob,
};

use super::stage::{Stage, best, category, chosen, seat, settle_to, uid};

const GONE: SettleTo = SettleTo::Gone { forget_key: true };

fn live(at: OrderAt, user: &str, seats: &[u32]) -> Settle {
    let seats = Some((category(0), seats.iter().map(|n| seat(*n)).collect()));
    Settle {
        user: Some(uid(user)),
        seats,
        ..settle_to(
            at,
            SettleTo::Live {
                due_in_ms: Some(60_000),
            },
        )
    }
}

fn done(freed: u32) -> Settled {
    Settled::Done {
        displaced: vec![],
        freed,
    }
}

#[tokio::test]
async fn accepting_happens_once_and_another_nonce_changes_nothing() {
    let stage = Stage::open(&[(1, 10)]).await;
    let at = stage.order();
    stage.held(at, "alice", best(2)).await;
    let stranger = OrderAt {
        nonce: stage.order().nonce,
        ..at
    };
    assert_eq!(
        stage.gate.accept(stranger, 0, 0, 0, 1).await,
        Ok(Accepted::Missing)
    );
    assert_eq!(
        stage.gate.abandon(stranger, None).await,
        Ok(Abandoned::Missing)
    );
    assert_eq!(
        stage.gate.settle(&settle_to(stranger, GONE)).await,
        Ok(done(0))
    );
    assert_eq!(stage.free().await, 8, "a stranger frees nothing");
    assert_eq!(
        stage.gate.accept(at, 1, i64::MAX, 5, 60_000).await,
        Ok(Accepted::Yes)
    );
    let state = ReservationState::Accepted {
        partition: 1,
        offset: i64::MAX,
        appended_ms: 5,
    };
    assert_eq!(
        stage.gate.accept(at, 2, 8, 6, 60_000).await,
        Ok(Accepted::Found(state)),
        "the first place stays, to the last digit"
    );
    assert_eq!(
        stage.gate.abandon(at, None).await,
        Ok(Abandoned::Found(state))
    );
}

#[tokio::test]
async fn only_the_latest_attempt_may_abandon_and_afterwards_nobody_can_accept() {
    let stage = Stage::open(&[(1, 10)]).await;
    let at = stage.order();
    let mut wish = stage.wish(at, "alice", best(2));
    wish.idempotency = Some((super::stage::idem("k"), "aa".into()));
    stage.gate.reserve(&wish).await.expect("answers");
    wish.order = stage.order().order;
    assert!(matches!(
        stage.gate.reserve(&wish).await,
        Ok(Reserved::Again { attempt: 2, .. })
    ));
    assert_eq!(
        stage.gate.abandon(at, Some(1)).await,
        Ok(Abandoned::Refused)
    );
    assert_eq!(
        stage.gate.abandon(at, Some(2)).await,
        Ok(Abandoned::WasHeld)
    );
    assert_eq!(
        stage.gate.abandon(at, Some(2)).await,
        Ok(Abandoned::Found(ReservationState::Abandoning))
    );
    assert_eq!(
        stage.gate.accept(at, 0, 0, 0, 1).await,
        Ok(Accepted::Found(ReservationState::Abandoning))
    );
    assert!(
        stage.entry(at).await.is_some(),
        "the entry stays to finish what the caller does not"
    );
}

#[tokio::test]
async fn abandoning_is_refused_while_the_gate_is_closed_or_was_filled_on_another_server() {
    let stage = Stage::open(&[(1, 10)]).await;
    let at = stage.order();
    stage.held(at, "alice", best(2)).await;
    let head = stage.program_key("head");
    let replid: String = stage.ask(&["HGET", &head, "replid"]).await;
    for (field, other, good) in [
        ("state", "loading", "open"),
        ("replid", "0123", replid.as_str()),
    ] {
        let () = stage.ask(&["HSET", &head, field, other]).await;
        assert_eq!(
            stage.gate.abandon(at, None).await,
            Ok(Abandoned::Refused),
            "{field}"
        );
        let () = stage.ask(&["HSET", &head, field, good]).await;
    }
    assert_eq!(stage.gate.abandon(at, None).await, Ok(Abandoned::WasHeld));
}

#[tokio::test]
async fn without_a_header_nothing_is_written() {
    let stage = Stage::open(&[(1, 10)]).await;
    let at = stage.order();
    stage.held(at, "alice", best(2)).await;
    let () = stage.ask(&["DEL", &stage.program_key("head")]).await;
    let before = stage.keys().await;
    assert_eq!(
        stage
            .gate
            .reserve(&stage.wish(stage.order(), "bob", best(1)))
            .await,
        Ok(Reserved::Rebuild)
    );
    assert_eq!(
        stage.gate.accept(at, 0, 0, 0, 1).await,
        Ok(Accepted::Missing)
    );
    assert_eq!(stage.gate.abandon(at, None).await, Ok(Abandoned::Refused));
    assert_eq!(
        stage.gate.settle(&settle_to(at, GONE)).await,
        Ok(Settled::NotInstalled)
    );
    assert_eq!(
        stage.gate.settle(&live(at, "alice", &[0, 1])).await,
        Ok(Settled::NotInstalled)
    );
    assert_eq!(stage.keys().await, before);
    assert_eq!(
        stage
            .gate
            .reservation(at.order)
            .await
            .expect("answers")
            .map(|r| r.state),
        Some(ReservationState::Held)
    );
}

#[tokio::test]
async fn a_missing_chunk_is_never_made_up() {
    let stage = Stage::open(&[(1, 10)]).await;
    let at = stage.order();
    stage.held(at, "alice", best(2)).await;
    let () = stage.ask(&["DEL", &stage.program_key("seats:0:0")]).await;
    let before = stage.keys().await;
    for want in [best(1), chosen(&[7])] {
        assert_eq!(
            stage
                .gate
                .reserve(&stage.wish(stage.order(), "bob", want))
                .await,
            Ok(Reserved::Rebuild)
        );
    }
    assert_eq!(
        stage.gate.settle(&settle_to(at, GONE)).await,
        Ok(Settled::NotInstalled)
    );
    assert_eq!(stage.keys().await, before);
    stage.install().await;
    assert_eq!(
        stage.free().await,
        8,
        "filled again, the reservation's seats kept"
    );
}

#[tokio::test]
async fn postgres_wins_over_a_later_holder_who_then_frees_nothing_of_it() {
    let stage = Stage::open(&[(1, 10)]).await;
    let late = stage.order();
    let stored = stage.order();
    stage.held(late, "bob", chosen(&[3, 4, 5])).await;
    let settled = stage.gate.settle(&live(stored, "alice", &[2, 3, 4])).await;
    assert_eq!(
        settled,
        Ok(Settled::Done {
            displaced: vec![(late.order, late.nonce)],
            freed: 0
        })
    );
    assert_eq!(
        stage.gate.settle(&live(stored, "alice", &[2, 3, 4])).await,
        Ok(done(0)),
        "repeated, nobody is displaced"
    );
    assert_eq!(stage.free().await, 6);
    assert_eq!(
        stage.gate.settle(&settle_to(late, GONE)).await,
        Ok(done(1)),
        "only seat 5 was still its own"
    );
    assert_eq!(
        stage.gate.settle(&settle_to(late, GONE)).await,
        Ok(done(0)),
        "twice frees nothing"
    );
    assert_eq!(stage.free().await, 7);
    let page = stage
        .gate
        .taken(stage.at_program(), 0)
        .await
        .expect("answers");
    let mut owned: Vec<u32> = page
        .taken
        .iter()
        .filter(|t| t.order == stored.order)
        .map(|t| t.seat.get())
        .collect();
    owned.sort_unstable();
    assert_eq!(
        (owned, page.taken.len(), page.next),
        (vec![2, 3, 4], 3, None)
    );
}

#[tokio::test]
async fn an_ended_order_never_comes_back_to_life() {
    let stage = Stage::open(&[(1, 10)]).await;
    let at = stage.order();
    stage.held(at, "alice", chosen(&[1, 2])).await;
    assert_eq!(stage.gate.settle(&settle_to(at, GONE)).await, Ok(done(2)));
    assert_eq!(
        stage.gate.settle(&live(at, "alice", &[1, 2])).await,
        Ok(Settled::Tombstoned)
    );
    assert_eq!(stage.free().await, 10);
    assert_eq!(stage.entry(at).await, None);
}

#[tokio::test]
async fn live_needs_seats_from_somewhere_and_seats_that_exist() {
    let stage = Stage::open(&[(1, 10)]).await;
    let at = stage.order();
    let unknown = settle_to(at, SettleTo::Live { due_in_ms: None });
    assert_eq!(stage.gate.settle(&unknown).await, Ok(Settled::SeatsUnknown));
    assert_eq!(
        stage.gate.settle(&live(at, "alice", &[9, 10])).await,
        Ok(Settled::NoSuchSeat)
    );
    assert_eq!(stage.keys().await.len(), 3, "header, runs and chunk only");
}

#[tokio::test]
async fn settling_takes_the_lease_from_whoever_holds_the_timeout() {
    let stage = Stage::open(&[(1, 10)]).await;
    let at = stage.order();
    let mut wish = stage.wish(at, "alice", best(1));
    wish.publish_window_ms = 1;
    stage.gate.reserve(&wish).await.expect("answers");
    let queue = stage.gate.timeouts();
    let claim = loop {
        let claimed = queue
            .claim(&[at.program.shard.into()], 10, 60_000)
            .await
            .expect("answers");
        if let Some(claim) = claimed.claims.into_iter().next() {
            break claim;
        }
    };
    assert_eq!(claim.id, at.order.to_string());
    let job = TimeoutJob {
        program: stage.program.id,
        nonce: at.nonce,
    };
    assert_eq!(TimeoutJob::parse(&claim.body).expect("reads"), job);
    stage
        .gate
        .settle(&settle_to(
            at,
            SettleTo::Live {
                due_in_ms: Some(60_000),
            },
        ))
        .await
        .expect("answers");
    assert_eq!(
        queue.ack(&claim).await,
        Ok(Fenced::Stale),
        "a late ack must not remove the new entry"
    );
    assert!(stage.entry(at).await.expect("an entry") > 0);
}

#[tokio::test]
async fn an_entry_of_another_order_with_the_same_number_is_left_alone() {
    let stage = Stage::open(&[(1, 10)]).await;
    let at = stage.order();
    stage.held(at, "alice", best(1)).await;
    let stored = OrderAt {
        nonce: stage.order().nonce,
        ..at
    };
    stage
        .gate
        .settle(&live(stored, "bob", &[5]))
        .await
        .expect("answers");
    stage
        .gate
        .settle(&settle_to(stored, GONE))
        .await
        .expect("answers");
    assert!(stage.entry(at).await.is_some());
    assert_eq!(
        stage
            .gate
            .reservation(at.order)
            .await
            .expect("answers")
            .map(|r| r.nonce),
        Some(at.nonce)
    );
}
