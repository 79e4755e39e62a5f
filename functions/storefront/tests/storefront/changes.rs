//! Changes of programs, stopped and resumed sales, and the orders placed meanwhile.

use serde_json::{Value, json};
use shared::message::ProgramChanged;
use shared::sale::ProgramStatus;
use shared::store::Switched;
use storefront::App;
use storefront::identity::Claims;
use testkit::until;

use crate::support::{
    Scripted, another, call, free, keyed, open_with, problem, program, store, two,
};

pub(crate) async fn patch(
    app: &App,
    id: &str,
    body: Value,
) -> Result<storefront::http::Reply, storefront::http::Problem> {
    app.serve(&call(
        "PATCH",
        &format!("/programs/{id}"),
        Some("promoter"),
        Some(body),
    ))
    .await
}

async fn switch(app: &App, id: &str, verb: &str) -> storefront::http::Reply {
    app.serve(&call(
        "POST",
        &format!("/programs/{id}/{verb}"),
        Some("promoter"),
        None,
    ))
    .await
    .expect("switched")
}

pub(crate) async fn shown(app: &App, id: &str) -> Value {
    app.serve(&call("GET", &format!("/programs/{id}"), None, None))
        .await
        .expect("found")
        .body
}

/// An order of two seats by the version that the buyer has seen.
fn two_of_version(id: &str, sub: &str, version: i64) -> storefront::http::Call {
    let body = json!({"category": 0, "count": 2, "program_version": version});
    call(
        "POST",
        &format!("/programs/{id}/orders"),
        Some(sub),
        Some(body),
    )
}

#[tokio::test]
async fn a_change_is_served_at_once_and_published() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let change = json!({
        "version": 1, "title": "U", "pay_window_seconds": 60, "user_limit": 2,
        "categories": [{"no": 0, "name": "B", "price_cents": 150}],
    });
    let reply = patch(&app, &id, change).await.expect("changed");
    let now = shown(&app, &id).await;
    assert_eq!((reply.status, &reply.body), (200, &now));
    assert_eq!(
        (
            &now["version"],
            &now["title"],
            &now["pay_window_seconds"],
            &now["user_limit"]
        ),
        (&json!(2), &json!("U"), &json!(60), &json!(2))
    );
    assert_eq!(
        (
            &now["categories"][0]["name"],
            &now["categories"][0]["price_cents"],
            &now["categories"][0]["free"]
        ),
        (&json!("B"), &json!(150), &json!(10))
    );
    // Nothing is left for the sweep: the stream has it.
    let all = "UPDATE outbox SET created_at = created_at - interval '1 minute'";
    crate::support::run(&app, all).await;
    assert_eq!(
        app.store.unpublished(10).await.expect("Postgres runs"),
        Vec::<ProgramChanged>::new()
    );
    let ordered = app.serve(&two(&id, "alice")).await.expect("accepted");
    assert_eq!(ordered.body["amount_cents"], json!(300));
}

#[tokio::test]
async fn a_change_needs_the_latest_version() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    patch(&app, &id, json!({"version": 1, "title": "U"}))
        .await
        .expect("changed");
    let conflict = patch(&app, &id, json!({"version": 1, "title": "V"}))
        .await
        .expect_err("refused");
    assert_eq!(
        (conflict.status, conflict.code, &conflict.extras["version"]),
        (409, "version_conflict", &json!(2))
    );
    assert_eq!(shown(&app, &id).await["title"], json!("U"));
}

#[tokio::test]
async fn each_impossible_change_has_its_own_problem() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    for (body, expected) in [
        (json!({"title": "U"}), (400, "malformed_request")),
        (json!({"version": 1, "rows": 3}), (400, "malformed_request")),
        (json!({"version": 1}), (422, "invalid_program")),
        (json!({"version": 1, "title": ""}), (422, "invalid_program")),
        (
            json!({"version": 1, "categories": [{"no": 0, "seats_per_row": 3}]}),
            (400, "malformed_request"),
        ),
        (
            json!({"version": 1, "categories": [{"no": 5, "price_cents": 3}]}),
            (404, "no_such_category"),
        ),
    ] {
        assert_eq!(
            problem(patch(&app, &id, body.clone()).await),
            expected,
            "{body}"
        );
    }
    for missing in ["x", "999999999"] {
        assert_eq!(
            problem(patch(&app, missing, json!({"version": 1, "title": "U"})).await),
            (404, "no_such_program")
        );
        let stop = call(
            "POST",
            &format!("/programs/{missing}/stop"),
            Some("promoter"),
            None,
        );
        assert_eq!(problem(app.serve(&stop).await), (404, "no_such_program"));
    }
    assert_eq!(shown(&app, &id).await["version"], json!(1));
}

#[tokio::test]
async fn a_program_is_changed_only_with_its_scope() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    for (method, verb, body) in [
        ("PATCH", "", Some(json!({"version": 1, "title": "U"}))),
        ("POST", "/stop", None),
        ("POST", "/resume", None),
    ] {
        let mut request = call(
            method,
            &format!("/programs/{id}{verb}"),
            Some("alice"),
            body.clone(),
        );
        request.claims = Claims::new([("sub".to_owned(), "alice".to_owned())].into());
        assert_eq!(
            problem(app.serve(&request).await),
            (403, "forbidden"),
            "{method}{verb}"
        );
        request.claims = Claims::default();
        assert_eq!(
            problem(app.serve(&request).await),
            (401, "unauthorized"),
            "{method}{verb}"
        );
    }
    assert_eq!(shown(&app, &id).await["version"], json!(1));
}

#[tokio::test]
async fn a_stopped_sale_only_refuses_new_orders() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let other = another(&app, &[]);
    let taken = app.serve(&two(&id, "alice")).await.expect("accepted");
    assert_eq!(shown(&other, &id).await["status"], json!("on_sale"));
    let stopped = switch(&app, &id, "stop").await;
    assert_eq!(
        (&stopped.body["status"], &stopped.body["version"]),
        (&json!("stopped"), &json!(2))
    );
    assert_eq!(
        switch(&app, &id, "stop").await.body,
        stopped.body,
        "repeating it changes nothing"
    );
    assert_eq!(
        problem(app.serve(&two(&id, "bob")).await),
        (409, "sale_stopped")
    );
    // The other instance follows no stream here; its cache lives for two seconds.
    until("the other instance has the change", async || {
        shown(&other, &id).await["status"] == json!("stopped")
    })
    .await;
    assert_eq!(
        problem(other.serve(&two(&id, "bob")).await),
        (409, "sale_stopped")
    );
    assert_eq!(free(&app, &id).await, 8);
    // What was accepted is stored, and cancelled, as before.
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&app, &message, 0).await;
    let order = taken.body["order"].as_str().expect("a number");
    let cancelled = app
        .serve(&call(
            "POST",
            &format!("/orders/{order}/cancel"),
            Some("alice"),
            None,
        ))
        .await
        .expect("cancelled");
    assert_eq!(cancelled.body["status"], json!("cancelled"));
    assert_eq!(free(&app, &id).await, 10);
    assert_eq!(switch(&app, &id, "resume").await.body["version"], json!(3));
    app.serve(&two(&id, "bob")).await.expect("on sale again");
}

#[tokio::test]
async fn a_repeated_stop_evicts_cached_programs() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    app.serve(&two(&id, "alice"))
        .await
        .expect("accepted, and the program is remembered");
    // Committed by an instance that died before it published the change.
    let program = id.parse().expect("an id");
    assert!(matches!(
        app.store.switch_sale(program, ProgramStatus::Stopped).await,
        Ok(Switched::Done(_))
    ));
    assert_eq!(
        switch(&app, &id, "stop").await.body["status"],
        json!("stopped")
    );
    assert_eq!(
        problem(app.serve(&two(&id, "bob")).await),
        (409, "sale_stopped")
    );
}

#[tokio::test]
async fn a_repeated_request_finds_its_order_after_a_change() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let first = app
        .serve(&keyed(two_of_version(&id, "alice", 1), "k"))
        .await
        .expect("accepted");
    patch(
        &app,
        &id,
        json!({"version": 1, "categories": [{"no": 0, "price_cents": 999}]}),
    )
    .await
    .expect("changed");
    let again = app
        .serve(&keyed(two_of_version(&id, "alice", 1), "k"))
        .await
        .expect("the same");
    assert_eq!(
        (&again.body["order"], &again.body["amount_cents"]),
        (&first.body["order"], &json!(200))
    );
    switch(&app, &id, "stop").await;
    let again = app
        .serve(&keyed(two_of_version(&id, "alice", 1), "k"))
        .await
        .expect("the same");
    assert_eq!(again.body["order"], first.body["order"]);
    // A new selection finds the sale stopped, with a key or without; another one under a key is refused as
    // ever.
    assert_eq!(
        problem(app.serve(&keyed(two(&id, "alice"), "other")).await),
        (409, "sale_stopped")
    );
    let mut three = keyed(two(&id, "alice"), "k");
    three.body = json!({"category": 0, "count": 3}).to_string().into_bytes();
    assert_eq!(
        problem(app.serve(&three).await),
        (422, "idempotency_key_reused")
    );
    assert_eq!(free(&app, &id).await, 8);
}

#[tokio::test]
async fn an_order_is_priced_by_the_version_seen() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    patch(
        &app,
        &id,
        json!({"version": 1, "categories": [{"no": 0, "price_cents": 150}]}),
    )
    .await
    .expect("changed");
    let refused = app
        .serve(&two_of_version(&id, "alice", 1))
        .await
        .expect_err("the price is another");
    assert_eq!(
        (refused.status, refused.code, &refused.extras["version"]),
        (409, "program_changed", &json!(2))
    );
    let never = app
        .serve(&two_of_version(&id, "alice", 3))
        .await
        .expect_err("there is no such version");
    assert_eq!(
        (never.code, &never.extras["version"]),
        ("program_changed", &json!(2))
    );
    assert_eq!(free(&app, &id).await, 10);
    let shown = app
        .serve(&two_of_version(&id, "alice", 2))
        .await
        .expect("as shown");
    assert_eq!(shown.body["amount_cents"], json!(300));
}

#[tokio::test]
async fn a_stale_instance_accepts_a_newer_version() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let behind = another(&app, &[]);
    assert_eq!(shown(&behind, &id).await["version"], json!(1));
    patch(
        &app,
        &id,
        json!({"version": 1, "categories": [{"no": 0, "price_cents": 150}]}),
    )
    .await
    .expect("changed");
    let taken = behind
        .serve(&two_of_version(&id, "alice", 2))
        .await
        .expect("as shown");
    assert_eq!(taken.body["amount_cents"], json!(300));
    assert_eq!(
        shown(&behind, &id).await["version"],
        json!(2),
        "and it serves nothing older from then on"
    );
}
