//! Waiting rooms: orders of admitted buyers only, in the order in which they joined.

use serde_json::{Value, json};
use storefront::App;
use storefront::http::{Call, Reply};
use testkit::until;

use crate::support::{
    Scripted, another, by, call, keyed, open_with, open_with_settings, problem, program, settings,
    store, two,
};

fn room(method: &str, id: &str, sub: &str) -> Call {
    call(
        method,
        &format!("/programs/{id}/waiting-room"),
        Some(sub),
        None,
    )
}

async fn switch(app: &App, id: &str, rate: Value) -> Reply {
    let mut put = room("PUT", id, "promoter");
    put.body = json!({ "admissions_per_second": rate }).to_string().into();
    app.serve(&put).await.expect("switched")
}

async fn join(app: &App, id: &str, sub: &str) -> Reply {
    app.serve(&room("POST", id, sub)).await.expect("joined")
}

fn look(id: &str, sub: &str, ticket: &Value) -> Call {
    let mut call = room("GET", id, sub);
    call.query
        .insert("ticket", ticket.as_str().expect("a ticket"));
    call
}

async fn state(app: &App, id: &str, sub: &str, ticket: &Value) -> Value {
    let reply = app.serve(&look(id, sub, ticket)).await.expect("a place");
    reply.body["state"].clone()
}

/// Removes the room, as a loss of Redis does.
async fn lose(app: &App, id: &str) {
    let found = app.programs.find(id.parse().expect("an id")).await;
    let program = found.expect("postgres").expect("a program");
    let mut delete = redis::cmd("DEL");
    for end in ["room", "room-waiting", "room-admitted", "room-ends"] {
        let rest = format!("program:{id}:{end}");
        delete.arg(app.settings.names.shard_key(program.shard, rest));
    }
    let link = app.gate.link();
    let deleted = link
        .read_one("delete", delete)
        .await
        .expect("answers")
        .parse::<u32>();
    assert_eq!(deleted, Ok(3), "the room, and one admitted buyer");
}

#[tokio::test]
async fn only_admitted_buyers_order() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let before = app
        .serve(&keyed(two(&id, "bob"), "k"))
        .await
        .expect("accepted");
    switch(&app, &id, json!(50)).await;
    let refused = app
        .serve(&two(&id, "alice"))
        .await
        .expect_err("not admitted");
    assert_eq!((refused.status, refused.code), (409, "not_admitted"));
    assert_eq!(
        refused.extras["join"],
        format!("/programs/{id}/waiting-room")
    );
    let joined = join(&app, &id, "alice").await;
    assert_eq!(
        (joined.status, &joined.body["state"]),
        (200, &json!("admitted"))
    );
    assert!(
        joined.body["valid_seconds"]
            .as_u64()
            .is_some_and(|s| (590..=600).contains(&s))
    );
    let order = app
        .serve(&keyed(two(&id, "alice"), "k"))
        .await
        .expect("accepted");
    assert_eq!(
        problem(app.serve(&two(&id, "carol")).await),
        (409, "not_admitted")
    );
    // A repetition finds its order, admitted or not, and also when the room is lost.
    let again = app
        .serve(&keyed(two(&id, "bob"), "k"))
        .await
        .expect("repeated");
    assert_eq!(again.body["order"], before.body["order"]);
    lose(&app, &id).await;
    let again = app
        .serve(&keyed(two(&id, "alice"), "k"))
        .await
        .expect("repeated");
    assert_eq!(again.body["order"], order.body["order"]);
    assert_eq!(
        problem(app.serve(&two(&id, "alice")).await),
        (409, "not_admitted")
    );
    let gone = look(&id, "alice", &joined.body["ticket"]);
    assert_eq!(problem(app.serve(&gone).await), (404, "no_such_place"));
    join(&app, &id, "alice").await;
    until("alice is admitted again", async || {
        app.serve(&two(&id, "alice")).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn an_operator_switches_the_room_and_nothing_else_does() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let open = join(&app, &id, "alice").await;
    assert_eq!((open.status, &open.body["state"]), (200, &json!("open")));
    let on = switch(&app, &id, json!(20)).await;
    assert_eq!(
        (&on.body["admissions_per_second"], &on.body["version"]),
        (&json!(20), &json!(2))
    );
    let same = switch(&app, &id, json!(20)).await;
    assert_eq!(same.body, on.body, "repeated, it changes nothing");
    let mut bad = room("PUT", &id, "promoter");
    for body in [
        "{}",
        r#"{"admissions_per_second":0}"#,
        r#"{"admissions_per_second":501}"#,
    ] {
        bad.body = body.into();
        assert_eq!(
            problem(app.serve(&bad).await),
            (400, "malformed_request"),
            "{body}"
        );
    }
    let path = format!("/programs/{id}/waiting-room");
    let body = json!({ "admissions_per_second": null });
    let buyers = by("alice", "orders:read", "PUT", &path, Some(body));
    assert_eq!(problem(app.serve(&buyers).await), (403, "forbidden"));
    let off = switch(&app, &id, Value::Null).await;
    assert_eq!(
        (&off.body["admissions_per_second"], &off.body["version"]),
        (&Value::Null, &json!(3))
    );
    assert!(app.serve(&two(&id, "alice")).await.is_ok());
    let missing = app.serve(&room("GET", &id, "alice")).await;
    assert_eq!(problem(missing), (400, "malformed_request"));
}

#[tokio::test]
async fn buyers_wait_for_a_stopped_sale_and_are_admitted_in_order() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    switch(&app, &id, json!(1)).await;
    app.serve(&call(
        "POST",
        &format!("/programs/{id}/stop"),
        Some("promoter"),
        None,
    ))
    .await
    .expect("stopped");
    let buyers = ["ann", "bob", "cid", "dan"];
    let mut tickets = Vec::new();
    for (n, buyer) in buyers.into_iter().enumerate() {
        let reply = join(&app, &id, buyer).await;
        assert_eq!(reply.status, 202);
        let place = (
            &reply.body["position"],
            &reply.body["estimated_wait_seconds"],
        );
        assert_eq!(place, (&json!(n + 1), &json!(n + 1)));
        assert_eq!(reply.body["paused"], json!(true));
        assert!(reply.retry_after.is_some_and(|s| s >= 1) && reply.location.is_some());
        tickets.push(reply.body["ticket"].clone());
    }
    app.serve(&call(
        "POST",
        &format!("/programs/{id}/resume"),
        Some("promoter"),
        None,
    ))
    .await
    .expect("resumed");
    // One a second: of any two buyers the first one is admitted first.
    until("all are admitted", async || {
        let mut states = Vec::new();
        for (buyer, ticket) in buyers.into_iter().zip(&tickets).rev() {
            states.push(state(&app, &id, buyer, ticket).await);
        }
        states.reverse();
        let admitted = states.iter().filter(|state| **state == "admitted").count();
        assert!(
            states[..admitted].iter().all(|state| *state == "admitted"),
            "{states:?}"
        );
        admitted == buyers.len()
    })
    .await;
}

#[tokio::test]
async fn a_backlog_of_order_create_stops_admission_and_its_end_resumes_it() {
    let publisher = Scripted::new([]);
    let app = open_with_settings(
        settings(&[("WAITING_ROOM_UNREAD", "10")]),
        publisher.clone(),
    )
    .await;
    // The process that answers has published nothing itself.
    let lookups = another(
        &app,
        &[("WAITING_ROOM_UNREAD", "10"), ("REQUEST_CLASS", "lookups")],
    );
    let id = program(&app).await;
    switch(&app, &id, json!(50)).await;
    let ends = |end| publisher.ends.lock().expect("whole").insert(0, end);
    ends(10);
    let joined = join(&app, &id, "alice").await;
    assert_eq!((joined.status, &joined.body["paused"]), (202, &json!(true)));
    let ticket = &joined.body["ticket"];
    assert_eq!(state(&lookups, &id, "alice", ticket).await, "waiting");
    ends(9);
    until("alice is admitted", async || {
        state(&lookups, &id, "alice", ticket).await == "admitted"
    })
    .await;
}

#[tokio::test]
async fn an_order_create_that_does_not_move_stops_admission() {
    let publisher = Scripted::new([]);
    let stall = [("ORDER_WAIT_STALL_MS", "100")];
    let app = open_with_settings(settings(&stall), publisher.clone()).await;
    let id = program(&app).await;
    switch(&app, &id, json!(50)).await;
    publisher.ends.lock().expect("whole").insert(0, 3);
    assert_eq!(
        join(&app, &id, "alice").await.body["state"],
        "admitted",
        "it may still move"
    );
    app.serve(&two(&id, "alice")).await.expect("accepted");
    let bob = join(&app, &id, "bob").await;
    let ticket = &bob.body["ticket"];
    // The next round is a second later.
    until("admission pauses", async || {
        let place = app.serve(&look(&id, "bob", ticket)).await.expect("a place");
        assert_eq!(place.body["state"], "waiting");
        place.body["paused"] == true
    })
    .await;
    let order = publisher.sent.lock().expect("whole")[0].clone();
    store(&app, &order, 0).await;
    until("bob is admitted", async || {
        state(&app, &id, "bob", ticket).await == "admitted"
    })
    .await;
}
