//! Confirming new orders: only what the gate has accepted exactly so.

use shared::gate::{NewOrder, ReservationState, Reserved, Settle, SettleTo, Settled};
use shared::message::{Cents, OrderRequested};

use super::environment::{
    TestEnvironment, best, category, chosen, hash, idem, nonce, seat, settle_to, uid,
};

const DUE_MS: u64 = 900_000;

fn new(request: &OrderRequested) -> NewOrder<'_> {
    NewOrder {
        request,
        due_in_ms: DUE_MS,
    }
}

/// Reserves seats with a key, and returns the message to publish.
async fn message(environment: &TestEnvironment, user: &str, seats: &[u32]) -> OrderRequested {
    let mut request = environment.request(environment.order(), user, chosen(seats));
    request.idempotency = Some((idem("k"), hash(7)));
    match environment.gate.reserve(&request).await {
        Ok(Reserved::Held { message, .. }) => serde_json::from_str(&message).expect("a message"),
        other => panic!("expected held seats, got {other:?}"),
    }
}

async fn accepted(environment: &TestEnvironment, user: &str, seats: &[u32]) -> OrderRequested {
    let request = message(environment, user, seats).await;
    let at = at(environment, &request);
    let accepted = environment.gate.accept(at, 1, 2, 3, DUE_MS).await;
    accepted.expect("answers");
    request
}

fn at(environment: &TestEnvironment, request: &OrderRequested) -> shared::gate::OrderAt {
    shared::gate::OrderAt {
        order: request.order,
        nonce: request.nonce,
        program: environment.at_program(),
    }
}

/// The text of the reservation and its lifetime in minutes.
async fn stands(environment: &TestEnvironment, request: &OrderRequested) -> (String, i64) {
    let key = environment.key(&format!("resv:{}", request.order));
    let lifetime_ms: i64 = environment.query(&["PTTL", &key]).await;
    let text: Option<String> = environment.query(&["GET", &key]).await;
    (text.unwrap_or_default(), (lifetime_ms + 30_000) / 60_000)
}

#[tokio::test]
async fn confirming_leaves_what_settling_leaves() {
    let environment = TestEnvironment::open(&[(2, 20)]).await;
    let confirmed = accepted(&environment, "ann", &[0, 1]).await;
    let settled = accepted(&environment, "ben", &[2, 3]).await;
    let found = environment.gate.confirm_all(&[new(&confirmed)]).await;
    assert!(
        found.differing.is_empty() && found.error.is_none(),
        "{found:?}"
    );
    let settle = Settle {
        user: Some(uid("ben")),
        key: settled.idempotency_key.clone(),
        seats: Some((category(0), settled.seats.clone())),
        ..settle_to(
            at(&environment, &settled),
            SettleTo::Live {
                due_in_ms: Some(DUE_MS),
            },
        )
    };
    environment.gate.settle(&settle).await.expect("answers");
    let (text, lifetime) = stands(&environment, &confirmed).await;
    let words = text
        .replace(&confirmed.nonce.to_string(), &settled.nonce.to_string())
        .replace("0,1 ann", "2,3 ben");
    assert_eq!((words, lifetime), stands(&environment, &settled).await);
    for request in [&confirmed, &settled] {
        let entry = environment.entry(at(&environment, request)).await;
        assert!(entry.is_some(), "the timeout stays");
    }
    // What is stored is not confirmed again.
    let again = environment.gate.confirm_all(&[new(&confirmed)]).await;
    assert_eq!(again.differing, [0]);
}

#[tokio::test]
async fn an_order_that_differs_in_a_word_is_not_changed() {
    let environment = TestEnvironment::open(&[(2, 20), (2, 20)]).await;
    let known = accepted(&environment, "ann", &[0, 1]).await;
    let before = stands(&environment, &known).await;
    let mut other = vec![known.clone(); 8];
    other[0].nonce = nonce(99);
    other[1].user = uid("an");
    other[2].seats = vec![seat(0)];
    other[3].seats = vec![seat(0), seat(1), seat(2)];
    other[4].category = category(1);
    other[5].unit_price_cents = Cents::new(4201).expect("valid");
    other[6].idempotency_key = None;
    other[7].idempotency_key = Some(idem("kk"));
    let new: Vec<NewOrder> = other.iter().map(new).collect();
    let found = environment.gate.confirm_all(&new).await;
    assert_eq!(found.differing, (0..8).collect::<Vec<_>>());
    assert_eq!(stands(&environment, &known).await, before);
}

#[tokio::test]
async fn only_an_accepted_order_that_owns_its_seats_is_confirmed() {
    let environment = TestEnvironment::open(&[(2, 20)]).await;
    let held = message(&environment, "ann", &[0]).await;
    let abandoning = message(&environment, "ben", &[1]).await;
    let gate = &environment.gate;
    let abandoned = gate.abandon(at(&environment, &abandoning)).await;
    abandoned.expect("answers");
    let ended = accepted(&environment, "cleo", &[2]).await;
    let settled = gate.settle(&Settle::gone(at(&environment, &ended))).await;
    assert!(matches!(settled, Ok(Settled::Done { .. })), "{settled:?}");
    let displaced = accepted(&environment, "dan", &[3, 4]).await;
    let row = Settle {
        user: Some(uid("eve")),
        seats: Some((category(0), vec![seat(4)])),
        ..settle_to(environment.order(), SettleTo::Live { due_in_ms: None })
    };
    gate.settle(&row).await.expect("answers");
    let earlier = accepted(&environment, "fay", &[5]).await;
    let key = environment.key(&format!("resv:{}", earlier.order));
    let () = environment.query(&["DEL", &key]).await;
    let _: u32 = environment
        .query(&["HSET", &key, "state", "accepted"])
        .await;
    let orders = [held, abandoning, ended, displaced, earlier];
    let new: Vec<NewOrder> = orders.iter().map(new).collect();
    let found = gate.confirm_all(&new).await;
    assert_eq!(found.differing, [0, 1, 2, 3, 4]);
    let () = environment.query(&["DEL", &key]).await;
    for request in &orders {
        let found = gate.reservation(request.order).await.expect("answers");
        let state = found.map(|found| found.state);
        assert_ne!(state, Some(ReservationState::Stored), "{request:?}");
    }
}

#[tokio::test]
async fn without_a_header_nothing_is_confirmed() {
    let environment = TestEnvironment::open(&[(2, 20)]).await;
    let request = accepted(&environment, "ann", &[0, 1]).await;
    let before = stands(&environment, &request).await;
    let head = environment.program_key("head");
    let () = environment.query(&["DEL", &head]).await;
    let found = environment.gate.confirm_all(&[new(&request)]).await;
    assert_eq!(found.differing, [0]);
    assert_eq!(stands(&environment, &request).await, before);
}

#[tokio::test]
async fn many_orders_of_many_seats_are_confirmed_each_by_its_own_data() {
    let environment = TestEnvironment::open(&[(300, 20)]).await;
    let mut orders = Vec::new();
    for n in 0..300_u16 {
        let at = environment.order();
        let mut request = environment.request(at, &format!("user{n}"), best(20));
        request.user_limit = 20;
        let Ok(Reserved::Held { message, .. }) = environment.gate.reserve(&request).await else {
            panic!("no seats for order {n}")
        };
        if n % 3 != 0 {
            let accepted = environment.gate.accept(at, 1, 2, 3, DUE_MS).await;
            accepted.expect("answers");
        }
        orders.push(serde_json::from_str(&message).expect("a message"));
    }
    let new: Vec<NewOrder> = orders.iter().map(new).collect();
    let mut found = environment.gate.confirm_all(&new).await;
    found.differing.sort_unstable();
    assert_eq!(found.differing, (0..300).step_by(3).collect::<Vec<_>>());
    for (n, request) in orders.iter().enumerate() {
        let found = environment.gate.reservation(request.order).await;
        let state = found.expect("answers").map(|found| found.state);
        let stored = state == Some(ReservationState::Stored);
        assert_eq!(stored, n % 3 != 0, "order {n}: {state:?}");
    }
}
