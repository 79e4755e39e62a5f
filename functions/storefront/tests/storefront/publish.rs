//! Every way a publish can end, and every place where a storefront can die.

use serde_json::json;
use shared::gate::ReservationState;
use shared::message::OrderRequested;
use shared::reconcile::reconcile;
use shared::sale::Status;
use shared::store::Fence;
use storefront::kafka::Published;
use testkit::until;
use tokio::sync::oneshot;

use crate::support::{Scripted, free, keyed, nowhere, open_with, problem, program, store, two};

fn unknown() -> Published {
    Published::Unknown("scripted".to_owned())
}

fn refused() -> Published {
    Published::Refused("scripted".to_owned())
}

#[tokio::test]
async fn a_refused_publish_is_fenced_and_its_key_makes_a_new_order() {
    let publisher = Scripted::new([Some(refused())]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    assert_eq!(
        problem(app.serve(&keyed(two(&id, "alice"), "k")).await),
        (503, "publish_failed")
    );
    assert_eq!(free(&app, &id).await, 10);
    assert_eq!(status_of_first(&app, &publisher).await, Status::Void);
    assert_eq!(
        app.serve(&keyed(two(&id, "alice"), "k"))
            .await
            .expect("accepted")
            .status,
        202
    );
    assert_eq!(free(&app, &id).await, 8);
}

#[tokio::test]
async fn an_order_stored_before_its_acknowledgement_is_answered_as_stored() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let (acknowledge, held) = oneshot::channel();
    *publisher.held.lock().expect("whole") = Some(held);
    let order = two(&id, "alice");
    let stored = async {
        until("it is being published", async || {
            !publisher.sent.lock().expect("whole").is_empty()
        })
        .await;
        let message = publisher.sent.lock().expect("whole")[0].clone();
        store(&app, &message, 0).await;
        let request: OrderRequested = serde_json::from_str(&message).expect("a message");
        let row = app.store.order(request.order).await.expect("Postgres runs");
        let row = row.expect("stored");
        let settled = reconcile(&app.gate, &app.store, &[row]).await;
        assert_eq!(settled.expect("Postgres runs").settled, 1);
        acknowledge.send(()).expect("the request waits");
    };
    let (reply, ()) = tokio::join!(app.serve(&order), stored);
    let reply = reply.expect("stored");
    assert_eq!(
        (reply.status, &reply.body["status"]),
        (201, &json!("unpaid"))
    );
    assert_eq!(free(&app, &id).await, 8);
}

#[tokio::test]
async fn an_unknown_publish_is_fenced_before_its_seats_are_freed() {
    let publisher = Scripted::new([Some(unknown())]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    assert_eq!(
        problem(app.serve(&two(&id, "alice")).await),
        (503, "publish_failed")
    );
    assert_eq!(free(&app, &id).await, 10);
    // The message was on its way all the time: it finds the fence.
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&app, &message, 0).await;
    assert_eq!(status_of_first(&app, &publisher).await, Status::Void);
}

#[tokio::test]
async fn an_unknown_publish_that_was_stored_meanwhile_is_the_stored_order() {
    let publisher = Scripted::new([None]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    // A first request dies after its publish, before the acknowledgement.
    let wish = keyed(two(&id, "alice"), "k");
    die_while_publishing(&app, &wish, &publisher, 1).await;
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&app, &message, 0).await;
    publisher.next.lock().expect("whole").push(Some(unknown()));
    let reply = app.serve(&wish).await.expect("stored");
    assert_eq!(
        (reply.status, &reply.body["status"]),
        (201, &json!("unpaid"))
    );
    assert_eq!(free(&app, &id).await, 8);
}

#[tokio::test]
async fn a_request_that_died_while_publishing_is_carried_on_by_its_repetition() {
    let publisher = Scripted::new([None]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let wish = keyed(two(&id, "alice"), "k");
    die_while_publishing(&app, &wish, &publisher, 1).await;
    let reply = app.serve(&wish).await.expect("accepted");
    assert_eq!(reply.status, 202);
    let sent = publisher.sent.lock().expect("whole").clone();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1]);
    assert_eq!(free(&app, &id).await, 8);
}

#[tokio::test]
async fn a_refused_repetition_is_no_proof_that_nothing_was_sent() {
    let publisher = Scripted::new([None, Some(refused())]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let wish = keyed(two(&id, "alice"), "k");
    die_while_publishing(&app, &wish, &publisher, 1).await;
    assert_eq!(problem(app.serve(&wish).await), (503, "publish_failed"));
    let order = serde_json::from_str::<OrderRequested>(&publisher.sent.lock().expect("whole")[0])
        .expect("a message")
        .order;
    let row = app.store.order(order).await.expect("Postgres runs");
    assert_eq!(row.map(|row| row.status), Some(Status::Void));
    assert_eq!(free(&app, &id).await, 10);
}

#[tokio::test]
async fn an_abandoned_reservation_is_fenced_by_its_repetition_which_then_orders_anew() {
    let publisher = Scripted::new([None]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let wish = keyed(two(&id, "alice"), "k");
    die_while_publishing(&app, &wish, &publisher, 1).await;
    let first = serde_json::from_str::<OrderRequested>(&publisher.sent.lock().expect("whole")[0])
        .expect("a message");
    let reservation = app
        .gate
        .reservation(first.order)
        .await
        .expect("Redis runs")
        .expect("held");
    assert_eq!(reservation.state, ReservationState::Held);
    let program = shared::gate::ProgramRef {
        id: first.program,
        shard: first.order.shard(),
    };
    let at = shared::gate::OrderAt {
        order: first.order,
        nonce: first.nonce,
        program,
    };
    app.gate.abandon(at).await.expect("Redis runs");
    let reply = app.serve(&wish).await.expect("a new order");
    assert_eq!(reply.status, 202);
    assert_ne!(reply.body["order"], json!(first.order));
    assert_eq!(free(&app, &id).await, 8);
}

#[tokio::test]
async fn a_repeated_request_for_a_void_order_is_refused() {
    let publisher = Scripted::new([None]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let wish = keyed(two(&id, "alice"), "k");
    die_while_publishing(&app, &wish, &publisher, 1).await;
    let first = serde_json::from_str::<OrderRequested>(&publisher.sent.lock().expect("whole")[0])
        .expect("a message");
    // Made void, and the gate is not settled.
    let fence = Fence::of_message(&first, "abandoned");
    app.store.fence(&fence).await.expect("Postgres runs");
    assert_eq!(problem(app.serve(&wish).await), (503, "publish_failed"));
    assert_eq!(free(&app, &id).await, 10);
    let reply = app.serve(&wish).await.expect("a new order");
    assert_eq!(reply.status, 202);
    assert_ne!(reply.body["order"], json!(first.order));
}

#[tokio::test]
async fn without_brokers_a_buyer_is_told_to_come_back_and_the_seats_are_free_again() {
    let app = open_with(nowhere()).await;
    let id = program(&app).await;
    let first = app
        .serve(&two(&id, "alice"))
        .await
        .expect_err("nowhere to publish");
    assert_eq!(first.status, 503);
    assert!(first.retry_after.is_some());
    assert_eq!(free(&app, &id).await, 10);
    // The circuit is open by now: refused before anything is held.
    assert_eq!(
        problem(app.serve(&two(&id, "alice")).await),
        (503, "unavailable")
    );
    assert_eq!(free(&app, &id).await, 10);
}

/// The status of the order whose message was given to the publisher first.
async fn status_of_first(app: &storefront::App, publisher: &Scripted) -> Status {
    let message = publisher.sent.lock().expect("whole")[0].clone();
    let request: OrderRequested = serde_json::from_str(&message).expect("a message");
    let row = app.store.order(request.order).await.expect("Postgres runs");
    row.expect("a row").status
}

/// Lets a request get as far as its publish, then takes it away.
async fn die_while_publishing(
    app: &storefront::App,
    wish: &storefront::http::Call,
    publisher: &Scripted,
    sends: usize,
) {
    let sent = until("it is being published", async || {
        publisher.sent.lock().expect("whole").len() >= sends
    });
    tokio::select! {
        reply = app.serve(wish) => panic!("answered: {reply:?}"),
        () = sent => {}
    }
}
