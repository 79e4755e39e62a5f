//! Accepting, abandoning and settling orders.

use delay_queue::Fenced;
use shared::gate::{
    Abandoned, Accepted, OrderAt, ReservationState, Reserved, Settle, SettleTo, Settled, TimeoutJob,
};

use super::environment::{TestEnvironment, best, category, chosen, seat, settle_to, uid};

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
async fn accept_applies_once_and_only_by_nonce() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let at = environment.order();
    environment.held(at, "alice", best(2)).await;
    let stranger = OrderAt {
        nonce: environment.order().nonce,
        ..at
    };
    assert_eq!(
        environment.gate.accept(stranger, 0, 0, 0, 1).await,
        Ok(Accepted::Missing)
    );
    assert_eq!(
        environment.gate.abandon(stranger).await,
        Ok(Abandoned::Missing)
    );
    assert_eq!(
        environment.gate.settle(&settle_to(stranger, GONE)).await,
        Ok(done(0))
    );
    assert_eq!(environment.free().await, 8, "another nonce frees nothing");
    assert_eq!(
        environment.gate.accept(at, 1, i64::MAX, 5, 60_000).await,
        Ok(Accepted::Yes)
    );
    let state = ReservationState::Accepted {
        partition: 1,
        offset: i64::MAX,
        appended_ms: 5,
    };
    assert_eq!(
        environment.gate.accept(at, 2, 8, 6, 60_000).await,
        Ok(Accepted::Found(state)),
        "the first place stays, to the last digit"
    );
    assert_eq!(
        environment.gate.abandon(at).await,
        Ok(Abandoned::Found(state))
    );
}

#[tokio::test]
async fn an_abandoned_order_is_not_accepted() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let at = environment.order();
    let request = environment.request(at, "alice", best(2));
    environment.gate.reserve(&request).await.expect("answers");
    assert_eq!(environment.gate.abandon(at).await, Ok(Abandoned::WasHeld));
    assert_eq!(
        environment.gate.abandon(at).await,
        Ok(Abandoned::Found(ReservationState::Abandoning))
    );
    assert_eq!(
        environment.gate.accept(at, 0, 0, 0, 1).await,
        Ok(Accepted::Found(ReservationState::Abandoning))
    );
    assert!(
        environment.entry(at).await.is_some(),
        "the entry stays to finish what the caller does not"
    );
}

#[tokio::test]
async fn a_closed_or_replaced_gate_refuses_abandon() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let at = environment.order();
    environment.held(at, "alice", best(2)).await;
    let head = environment.program_key("head");
    let replid: String = environment.query(&["HGET", &head, "replid"]).await;
    for (field, other, good) in [
        ("state", "loading", "open"),
        ("replid", "0123", replid.as_str()),
    ] {
        let () = environment.query(&["HSET", &head, field, other]).await;
        assert_eq!(
            environment.gate.abandon(at).await,
            Ok(Abandoned::Refused),
            "{field}"
        );
        let () = environment.query(&["HSET", &head, field, good]).await;
    }
    assert_eq!(environment.gate.abandon(at).await, Ok(Abandoned::WasHeld));
}

#[tokio::test]
async fn without_a_header_nothing_is_written() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let at = environment.order();
    environment.held(at, "alice", best(2)).await;
    let () = environment
        .query(&["DEL", &environment.program_key("head")])
        .await;
    let before = environment.keys().await;
    assert_eq!(
        environment
            .gate
            .reserve(&environment.request(environment.order(), "bob", best(1)))
            .await,
        Ok(Reserved::Rebuild)
    );
    assert_eq!(
        environment.gate.accept(at, 0, 0, 0, 1).await,
        Ok(Accepted::Missing)
    );
    assert_eq!(environment.gate.abandon(at).await, Ok(Abandoned::Refused));
    assert_eq!(
        environment.gate.settle(&settle_to(at, GONE)).await,
        Ok(Settled::NotInstalled)
    );
    assert_eq!(
        environment.gate.settle(&live(at, "alice", &[0, 1])).await,
        Ok(Settled::NotInstalled)
    );
    assert_eq!(environment.keys().await, before);
    assert_eq!(
        environment
            .gate
            .reservation(at.order)
            .await
            .expect("answers")
            .map(|r| r.state),
        Some(ReservationState::Held)
    );
}

#[tokio::test]
async fn a_missing_chunk_is_never_created() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let at = environment.order();
    environment.held(at, "alice", best(2)).await;
    let () = environment
        .query(&["DEL", &environment.program_key("seats:0:0")])
        .await;
    let before = environment.keys().await;
    for want in [best(1), chosen(&[7])] {
        assert_eq!(
            environment
                .gate
                .reserve(&environment.request(environment.order(), "bob", want))
                .await,
            Ok(Reserved::Rebuild)
        );
    }
    assert_eq!(
        environment.gate.settle(&settle_to(at, GONE)).await,
        Ok(Settled::NotInstalled)
    );
    assert_eq!(environment.keys().await, before);
    environment.install().await;
    assert_eq!(
        environment.free().await,
        8,
        "filled again, the reservation's seats kept"
    );
}

#[tokio::test]
async fn postgres_wins_over_a_later_holder() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let late = environment.order();
    let stored = environment.order();
    environment.held(late, "bob", chosen(&[3, 4, 5])).await;
    let settled = environment
        .gate
        .settle(&live(stored, "alice", &[2, 3, 4]))
        .await;
    assert_eq!(
        settled,
        Ok(Settled::Done {
            displaced: vec![(late.order, late.nonce)],
            freed: 0
        })
    );
    assert_eq!(
        environment
            .gate
            .settle(&live(stored, "alice", &[2, 3, 4]))
            .await,
        Ok(done(0)),
        "repeated, no order is displaced"
    );
    assert_eq!(environment.free().await, 6);
    assert_eq!(
        environment.gate.settle(&settle_to(late, GONE)).await,
        Ok(done(1)),
        "only seat 5 was still its own"
    );
    assert_eq!(
        environment.gate.settle(&settle_to(late, GONE)).await,
        Ok(done(0)),
        "twice frees nothing"
    );
    assert_eq!(environment.free().await, 7);
    let page = environment
        .gate
        .taken(environment.at_program(), 0)
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
async fn an_ended_order_stays_ended() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let at = environment.order();
    environment.held(at, "alice", chosen(&[1, 2])).await;
    assert_eq!(
        environment.gate.settle(&settle_to(at, GONE)).await,
        Ok(done(2))
    );
    assert_eq!(
        environment.gate.settle(&live(at, "alice", &[1, 2])).await,
        Ok(Settled::Tombstoned)
    );
    assert_eq!(environment.free().await, 10);
    assert_eq!(environment.entry(at).await, None);
}

#[tokio::test]
async fn numbers_that_lua_cannot_distinguish_are_two_orders() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let [one, other] = [environment.order(), environment.order()];
    let as_lua_reads_it = |at: OrderAt| {
        let number: f64 = at.order.to_string().parse().expect("digits");
        number.to_bits()
    };
    assert_ne!(one.order, other.order);
    assert_eq!(as_lua_reads_it(one), as_lua_reads_it(other));
    environment.held(one, "alice", chosen(&[1])).await;
    environment.held(other, "bob", chosen(&[2])).await;
    assert_eq!(
        environment.gate.settle(&settle_to(one, GONE)).await,
        Ok(done(1))
    );
    let page = environment.gate.taken(environment.at_program(), 0).await;
    let taken = page.expect("answers").taken;
    let taken: Vec<_> = taken.iter().map(|t| (t.seat, t.order)).collect();
    assert_eq!(taken, vec![(seat(2), other.order)]);
}

#[tokio::test]
async fn live_requires_existing_seats() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let at = environment.order();
    let unknown = settle_to(at, SettleTo::Live { due_in_ms: None });
    assert_eq!(
        environment.gate.settle(&unknown).await,
        Ok(Settled::SeatsUnknown)
    );
    assert_eq!(
        environment.gate.settle(&live(at, "alice", &[9, 10])).await,
        Ok(Settled::NoSuchSeat)
    );
    assert_eq!(
        environment.keys().await.len(),
        3,
        "header, runs and chunk only"
    );
}

#[tokio::test]
async fn settling_revokes_the_lease_of_the_timeout() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let at = environment.order();
    let mut request = environment.request(at, "alice", best(1));
    request.publish_window_ms = 1;
    environment.gate.reserve(&request).await.expect("answers");
    let queue = environment.gate.timeouts();
    let claim = environment.claim_entry(at).await;
    let job = TimeoutJob {
        program: environment.program.id,
        nonce: at.nonce,
    };
    assert_eq!(TimeoutJob::parse(&claim.body).expect("reads"), job);
    environment
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
    assert!(environment.entry(at).await.expect("an entry") > 0);
}

#[tokio::test]
async fn an_entry_of_another_nonce_stays() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let at = environment.order();
    environment.held(at, "alice", best(1)).await;
    let stored = OrderAt {
        nonce: environment.order().nonce,
        ..at
    };
    environment
        .gate
        .settle(&live(stored, "bob", &[5]))
        .await
        .expect("answers");
    environment
        .gate
        .settle(&settle_to(stored, GONE))
        .await
        .expect("answers");
    assert!(environment.entry(at).await.is_some());
    assert_eq!(
        environment
            .gate
            .reservation(at.order)
            .await
            .expect("answers")
            .map(|r| r.nonce),
        Some(at.nonce)
    );
}
