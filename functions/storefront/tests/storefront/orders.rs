//! Orders as buyers make, see and cancel them.

use serde_json::json;
use shared::gate::ReservationState;

use crate::support::{Scripted, call, free, keyed, open, open_with, problem, program, store, two};

#[tokio::test]
async fn an_order_is_answered_202_when_kafka_has_it_and_the_gate_knows() {
    let app = open().await;
    let id = program(&app).await;
    let reply = app.serve(&two(&id, "alice")).await.expect("accepted");
    assert_eq!(
        (reply.status, &reply.body["status"]),
        (202, &json!("accepted"))
    );
    assert_eq!(
        (&reply.body["seats"], &reply.body["amount_cents"]),
        (&json!([0, 1]), &json!(200))
    );
    let order = reply.body["order"]
        .as_str()
        .expect("a number")
        .parse()
        .expect("a number");
    let reservation = app
        .gate
        .reservation(order)
        .await
        .expect("Redis runs")
        .expect("held");
    assert!(
        matches!(
            reservation.state,
            ReservationState::Accepted { offset: 0, .. }
        ),
        "{reservation:?}"
    );
    let logs = app.publisher.logs().await.expect("Kafka runs");
    assert_eq!(logs.values().map(|log| log.end).sum::<i64>(), 1);
    assert_eq!(free(&app, &id).await, 8);
}

#[tokio::test]
async fn a_buyer_who_waits_gets_the_stored_order() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let mut wish = two(&id, "alice");
    wish.query.insert("wait".to_owned(), "20".to_owned());
    let create = async {
        while publisher.sent.lock().expect("whole").is_empty() {
            tokio::task::yield_now().await;
        }
        let message = publisher.sent.lock().expect("whole")[0].clone();
        store(&app, &message, 0).await;
    };
    let (reply, ()) = tokio::join!(app.serve(&wish), create);
    let reply = reply.expect("stored");
    assert_eq!(
        (reply.status, &reply.body["status"]),
        (201, &json!("unpaid"))
    );
}

#[tokio::test]
async fn one_key_is_one_order_and_another_wish_under_it_is_refused() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let first = app
        .serve(&keyed(two(&id, "alice"), "k"))
        .await
        .expect("accepted");
    let again = app
        .serve(&keyed(two(&id, "alice"), "k"))
        .await
        .expect("the same");
    assert_eq!(first.body["order"], again.body["order"]);
    assert_eq!(free(&app, &id).await, 8);
    let mut other = keyed(two(&id, "alice"), "k");
    other.body = json!({"category": 0, "count": 3}).to_string().into_bytes();
    assert_eq!(
        problem(app.serve(&other).await),
        (422, "idempotency_key_reused")
    );
    let bobs = app
        .serve(&keyed(two(&id, "bob"), "k"))
        .await
        .expect("a key is its buyer's");
    assert_ne!(first.body["order"], bobs.body["order"]);
}

#[tokio::test]
async fn a_request_made_again_is_told_no_less_than_a_look_at_its_order() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let first = app
        .serve(&keyed(two(&id, "alice"), "k"))
        .await
        .expect("accepted");
    let message = publisher.sent.lock().expect("whole")[0].clone();
    // The row exists, and the gate is not settled.
    store(&app, &message, 0).await;
    let path = format!(
        "/orders/{}",
        first.body["order"].as_str().expect("a number")
    );
    let looked = app
        .serve(&call("GET", &path, Some("alice"), None))
        .await
        .expect("found");
    let again = app
        .serve(&keyed(two(&id, "alice"), "k"))
        .await
        .expect("the same");
    assert_eq!(
        (&looked.body["status"], &again.body["status"]),
        (&json!("unpaid"), &json!("unpaid"))
    );
    assert_eq!(again.body["order"], first.body["order"]);
}

#[tokio::test]
async fn what_cannot_be_had_is_told_apart_and_holds_nothing() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let ask = |sub, body| {
        call(
            "POST",
            &format!("/programs/{id}/orders"),
            Some(sub),
            Some(body),
        )
    };
    app.serve(&ask("alice", json!({"category": 0, "seats": [1, 4, 7]})))
        .await
        .expect("accepted");
    assert_eq!(
        problem(
            app.serve(&ask("bob", json!({"category": 0, "seats": [4, 5]})))
                .await
        ),
        (409, "seats_taken")
    );
    assert_eq!(
        problem(
            app.serve(&ask("bob", json!({"category": 0, "count": 3})))
                .await
        ),
        (409, "not_adjacent")
    );
    assert_eq!(
        problem(
            app.serve(&ask("alice", json!({"category": 0, "seats": [0, 2, 3, 5]})))
                .await
        ),
        (409, "limit_reached")
    );
    assert_eq!(
        problem(
            app.serve(&ask("bob", json!({"category": 0, "seats": [10]})))
                .await
        ),
        (422, "invalid_order")
    );
    assert_eq!(
        problem(
            app.serve(&ask("bob", json!({"category": 1, "count": 1})))
                .await
        ),
        (422, "invalid_order")
    );
    assert_eq!(free(&app, &id).await, 7);
}

#[tokio::test]
async fn an_order_is_shown_to_its_buyer_only_before_and_after_it_is_stored() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let made = app.serve(&two(&id, "alice")).await.expect("accepted");
    let place = made.location.expect("a place");
    let get = |sub: Option<&'static str>| call("GET", &place, sub, None);
    assert_eq!(
        app.serve(&get(Some("alice"))).await.expect("hers").body["status"],
        "accepted"
    );
    assert_eq!(
        problem(app.serve(&get(Some("mallory"))).await),
        (404, "no_such_order")
    );
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&app, &message, 0).await;
    assert_eq!(
        app.serve(&get(Some("alice"))).await.expect("hers").body["status"],
        "unpaid"
    );
    assert_eq!(
        problem(app.serve(&get(Some("mallory"))).await),
        (404, "no_such_order")
    );
    assert_eq!(problem(app.serve(&get(None)).await), (401, "unauthorized"));
    let mine = app
        .serve(&call("GET", "/orders", Some("alice"), None))
        .await
        .expect("a list");
    assert_eq!(mine.body["orders"][0]["order"], made.body["order"]);
    let cancel = call("POST", &format!("{place}/cancel"), Some("mallory"), None);
    assert_eq!(problem(app.serve(&cancel).await), (404, "no_such_order"));
}

#[tokio::test]
async fn a_header_is_no_identity() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let mut anonymous = call(
        "POST",
        &format!("/programs/{id}/orders"),
        None,
        Some(json!({"category": 0, "count": 1})),
    );
    for name in ["authorization", "x-user", "x-user-id"] {
        anonymous
            .headers
            .insert(name.to_owned(), "alice".to_owned());
    }
    assert_eq!(problem(app.serve(&anonymous).await), (401, "unauthorized"));
}

#[tokio::test]
async fn a_cancelled_order_frees_its_seats_stored_or_not() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let early = app
        .serve(&two(&id, "alice"))
        .await
        .expect("accepted")
        .location
        .expect("a place");
    let cancel = |place: &str| call("POST", &format!("{place}/cancel"), Some("alice"), None);
    assert_eq!(
        app.serve(&cancel(&early)).await.expect("fenced").body["status"],
        "void"
    );
    assert_eq!(free(&app, &id).await, 10);
    // Its message arrives after all: it stays void.
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&app, &message, 0).await;
    assert_eq!(
        app.serve(&call("GET", &early, Some("alice"), None))
            .await
            .expect("hers")
            .body["status"],
        "void"
    );

    let late = app
        .serve(&two(&id, "alice"))
        .await
        .expect("accepted")
        .location
        .expect("a place");
    let message = publisher.sent.lock().expect("whole")[1].clone();
    store(&app, &message, 1).await;
    assert_eq!(
        app.serve(&cancel(&late)).await.expect("cancelled").body["status"],
        "cancelled"
    );
    assert_eq!(
        app.serve(&cancel(&late)).await.expect("again").body["status"],
        "cancelled"
    );
    assert_eq!(free(&app, &id).await, 10);
}
