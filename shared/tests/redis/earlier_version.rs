//! Reservations that an earlier version has written.

use shared::gate::{Accepted, ReservationState, Reserved, Settle, SettleTo, Settled};

use super::environment::{TestEnvironment, best, hash, idem, settle_to, uid};

#[tokio::test]
async fn a_reservation_of_an_earlier_version_goes_on() {
    let environment = TestEnvironment::open(&[(1, 20)]).await;
    for accepts in [true, false] {
        let at = environment.order();
        environment.held(at, "alice", best(2)).await;
        let found = environment.gate.reservation(at.order).await;
        let found = found.expect("answers").expect("a reservation");
        // Earlier versions wrote a hash.
        let key = environment.key(&format!("resv:{}", at.order));
        let seats: Vec<String> = found.seats.iter().map(ToString::to_string).collect();
        let (nonce, seats) = (at.nonce.to_string(), seats.join(","));
        let () = environment.query(&["DEL", &key]).await;
        let fields = ["state", "held", "nonce", &nonce, "program", "17"];
        let order = ["user", "alice", "category", "0", "seats", &seats];
        let rest = ["price", "4200", "key", "", "attempt", "1"];
        let message = ["message", &found.message];
        let hash = [&["HSET", &key][..], &fields, &order, &rest, &message].concat();
        let _: u32 = environment.query(&hash).await;
        let read = environment.gate.reservation(at.order).await;
        assert_eq!(read, Ok(Some(found.clone())));

        if accepts {
            let accepted = environment.gate.accept(at, 1, 2, 3, 60_000).await;
            assert_eq!(accepted, Ok(Accepted::Yes));
        }
        let unpaid = SettleTo::Live {
            due_in_ms: Some(60_000),
        };
        let settled = environment.gate.settle(&settle_to(at, unpaid)).await;
        assert!(matches!(settled, Ok(Settled::Done { .. })), "{settled:?}");
        let stored = environment.gate.reservation(at.order).await;
        let stored = stored.expect("answers").expect("a reservation");
        assert_eq!(stored.state, ReservationState::Stored);
        assert_eq!((stored.seats, stored.message), (found.seats, String::new()));
        // Instances of the earlier version still run during a deployment.
        let fields = environment.hash(&key).await;
        assert_eq!(fields["state"], "stored");
        assert_eq!(
            fields.get("offset").map(String::as_str),
            accepts.then_some("2")
        );
        let lifetime_ms: i64 = environment.query(&["PTTL", &key]).await;
        assert!(lifetime_ms > 3_600_000, "{lifetime_ms}");
    }
}

#[tokio::test]
async fn a_key_of_an_earlier_version_finds_its_order() {
    let environment = TestEnvironment::open(&[(1, 20)]).await;
    let at = environment.order();
    environment.held(at, "alice", best(2)).await;
    // The earlier version stored a key each, and the whole message in the reservation.
    let (owner, body) = (format!("{}:{}", at.order, at.nonce), hash(7));
    let key = environment.key("idem:17:5:alice:click");
    let () = environment
        .query(&["SET", &key, &format!("{owner}:{body}")])
        .await;
    let reservation = environment.key(&format!("resv:{}", at.order));
    let text: String = environment.query(&["GET", &reservation]).await;
    let (line, _) = text.split_once('\n').expect("a line");
    let sent = r#"{"seats":[0,1]}"#;
    let () = environment
        .query(&["SET", &reservation, &format!("{line}\n{sent}")])
        .await;

    let mut request = environment.request(environment.order(), "alice", best(2));
    request.idempotency = Some((idem("click"), body));
    match environment.gate.reserve(&request).await {
        Ok(Reserved::Again { order, message, .. }) => {
            assert_eq!((order, message.as_str()), (at.order, sent));
        }
        other => panic!("{other:?}"),
    }
    // The earlier version frees the seats of a refused first attempt, and of no other.
    let text: String = environment.query(&["GET", &reservation]).await;
    assert!(text.starts_with("held 2 "), "{text}");
    let (program, click) = (environment.at_program(), idem("click"));
    let recalled = environment
        .gate
        .recall(program, &request.user, (&click, hash(8)), 30_000)
        .await;
    assert_eq!(recalled, Ok(Some(Reserved::KeyReused)));
    let refused = Settle {
        user: Some(uid("alice")),
        key: Some(click),
        ..settle_to(at, SettleTo::Gone { forget_key: true })
    };
    let settled = environment.gate.settle(&refused).await;
    assert!(matches!(settled, Ok(Settled::Done { freed: 2, .. })));
    let left: u32 = environment.query(&["EXISTS", &key]).await;
    assert_eq!(left, 0);
}
