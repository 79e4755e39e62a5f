//! Idempotency keys and duplicates after a gate was lost.

use crate::rebuild::{keys, lose, redis};
use crate::support::{
    Scripted, call, free, keyed, open_with, pass_barriers, problem, program, store, two,
};
use serde_json::json;
use testkit::until;

#[tokio::test]
async fn a_key_finds_its_order_after_a_loss() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let alices = app
        .serve(&keyed(two(&id, "alice"), "k"))
        .await
        .expect("accepted");
    let bobs = app
        .serve(&keyed(two(&id, "bob"), "k"))
        .await
        .expect("accepted");
    let sent = publisher.sent.lock().expect("whole").clone();
    store(&app, &sent[0], 0).await;
    store(&app, &sent[1], 1).await;
    let cancel = format!(
        "/orders/{}/cancel",
        bobs.body["order"].as_str().expect("a number")
    );
    app.serve(&call("POST", &cancel, Some("bob"), None))
        .await
        .expect("cancelled");
    publisher.ends.lock().expect("whole").insert(0, 2);
    lose(&app).await;
    let look = call("GET", &format!("/programs/{id}"), None, None);
    app.serve(&look).await.expect("found");
    pass_barriers(&app, &publisher).await;
    until("the gate is open", async || {
        app.serve(&look).await.expect("found").body["categories"][0]["free"] == json!(8)
    })
    .await;

    let again = app
        .serve(&keyed(two(&id, "alice"), "k"))
        .await
        .expect("the same order");
    assert_eq!(
        (again.status, &again.body["status"]),
        (201, &json!("unpaid"))
    );
    assert_eq!(
        (&again.body["order"], &again.body["seats"]),
        (&alices.body["order"], &alices.body["seats"])
    );
    let mut other = keyed(two(&id, "alice"), "k");
    other.body = json!({"category": 0, "count": 3}).to_string().into_bytes();
    assert_eq!(
        problem(app.serve(&other).await),
        (422, "idempotency_key_reused")
    );
    // An order that has ended is still what its key stands for.
    let again = app
        .serve(&keyed(two(&id, "bob"), "k"))
        .await
        .expect("the same order");
    assert_eq!(
        (&again.body["order"], &again.body["status"]),
        (&bobs.body["order"], &json!("cancelled"))
    );
    assert_eq!(
        publisher.sent.lock().expect("whole").len(),
        2,
        "no second order of either"
    );
    assert_eq!(free(&app, &id).await, 8);
}

#[tokio::test]
async fn a_rejected_duplicate_names_its_original() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let wish = keyed(two(&id, "alice"), "k");
    let first = app.serve(&wish).await.expect("accepted").body["order"].clone();
    let sent = publisher.sent.lock().expect("whole").clone();
    store(&app, &sent[0], 0).await;
    // The gate forgets the key, as after its time is over.
    let mut redis = redis().await;
    for key in keys(&mut redis, app.settings.names.prefix())
        .await
        .into_iter()
        .filter(|key| key.contains(":idems:"))
    {
        let _: u64 = redis::cmd("DEL")
            .arg(key)
            .query_async(&mut redis)
            .await
            .expect("deletes");
    }
    let second = app.serve(&wish).await.expect("accepted");
    assert_ne!(second.body["order"], first);
    let sent = publisher.sent.lock().expect("whole").clone();
    store(&app, &sent[1], 1).await;
    let look = call(
        "GET",
        second.location.as_deref().expect("a place"),
        Some("alice"),
        None,
    );
    let seen = app.serve(&look).await.expect("hers").body;
    assert_eq!(
        (&seen["status"], &seen["reason"]),
        (&json!("rejected"), &json!("duplicate"))
    );
    assert_eq!(seen["duplicate_of"], first);
    let again = app.serve(&wish).await.expect_err("rejected");
    assert_eq!(
        (again.status, again.code, &again.extras["duplicate_of"]),
        (409, "rejected", &first)
    );
}
