//! Programs changed, sales stopped and resumed; and what buyers get meanwhile.

use serde_json::{Value, json};
use shared::message::{ProgramChanged, ProgramId};
use shared::sale::ProgramStatus;
use shared::store::Switched;
use storefront::App;
use storefront::identity::Claims;
use testkit::until;

use crate::support::{
    Scripted, another, call, free, keyed, open_with, problem, program, store, two,
};

async fn patch(
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

async fn shown(app: &App, id: &str) -> Value {
    app.serve(&call("GET", &format!("/programs/{id}"), None, None))
        .await
        .expect("found")
        .body
}

/// Two seats, by the version that the buyer was shown.
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
async fn a_change_is_served_at_once_by_who_made_it_and_told_to_everybody() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let change = json!({
        "version": 1, "title": "U", "pay_window_seconds": 60, "user_limit": 2, "categories": [{"no": 0, "name": "B", "price_cents": 150}],
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
async fn who_has_not_seen_the_latest_version_changes_nothing() {
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
async fn what_cannot_be_changed_so_is_told_apart() {
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
async fn a_stopped_sale_takes_no_new_order_in_any_instance_and_ends_none_that_exists() {
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
    // The other instance hears nothing here; it remembers for two seconds at most.
    until("the other instance knows", async || {
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
async fn a_stop_that_nobody_heard_of_counts_once_it_is_repeated() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    app.serve(&two(&id, "alice"))
        .await
        .expect("accepted, and the program is remembered");
    // Committed by an instance that died before it told anybody.
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
async fn a_repeated_request_leads_to_its_order_also_after_the_sale_stopped_or_the_price_changed() {
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
    // A new wish finds the sale stopped, with a key or without; a key's other wish is refused as ever.
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
async fn an_order_is_priced_by_the_version_that_was_shown_or_refused_with_the_one_to_look_at() {
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
async fn an_instance_that_is_behind_takes_the_order_of_a_buyer_who_saw_more() {
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

#[tokio::test]
async fn an_instance_that_follows_serves_a_change_as_soon_as_it_is_told_of_it() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let follows = [
        ("PROGRAM_CACHE_READER", "true"),
        ("PROGRAM_CACHE_TTL_MS", "3600000"),
    ];
    let follower = another(&app, &follows);
    until("it hears", async || follower.programs.local().is_fresh()).await;
    assert_eq!(shown(&follower, &id).await["version"], json!(1));
    patch(&app, &id, json!({"version": 1, "title": "U"}))
        .await
        .expect("changed");
    // As the invalidator does at the end of the way.
    let streams = &app.settings.cache.streams;
    let evicted =
        streams.evicted_announcer(streams.link().expect("an address"), &app.settings.names);
    let program: ProgramId = id.parse().expect("an id");
    let version = shared::message::ProgramVersion::new(2).expect("valid");
    evicted
        .announce(
            ProgramChanged {
                id: program,
                version,
            },
            None,
        )
        .await
        .expect("Redis runs");
    until("it serves the change", async || {
        shown(&follower, &id).await["version"] == json!(2)
    })
    .await;
}

#[tokio::test]
async fn every_answer_names_the_instance_that_gave_it() {
    let app = open_with(Scripted::new([])).await;
    let other = another(&app, &[]);
    assert_ne!(app.instance, other.instance);
    for path in ["/programs/1", "/nowhere"] {
        let request = lambda_http::http::Request::builder()
            .uri(path)
            .body(lambda_http::Body::Empty)
            .expect("a request");
        let answer = app.answer(request).await;
        assert_eq!(
            answer.headers()[storefront::INSTANCE_HEADER],
            app.instance.as_str()
        );
    }
}

#[tokio::test]
async fn without_the_cache_redis_programs_are_created_changed_read_and_ordered_from() {
    let nowhere = testkit::net::free_address().port();
    let real = open_with(Scripted::new([])).await;
    let app = another(
        &real,
        &[
            ("REDIS_CACHE_URL", &format!("redis://127.0.0.1:{nowhere}")),
            ("PROGRAM_CACHE_READER", "true"),
        ],
    );
    let id = program(&app).await;
    for version in 1..=3 {
        assert_eq!(shown(&app, &id).await["version"], json!(version));
        patch(
            &app,
            &id,
            json!({"version": version, "title": format!("after {version}")}),
        )
        .await
        .expect("changed");
    }
    app.serve(&two(&id, "alice")).await.expect("accepted");
    // None of it reached the stream; all of it waits in the outbox.
    crate::support::run(
        &app,
        "UPDATE outbox SET created_at = created_at - interval '1 minute'",
    )
    .await;
    assert_eq!(
        app.store
            .unpublished(10)
            .await
            .expect("Postgres runs")
            .len(),
        4
    );
}
