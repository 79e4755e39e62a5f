//! Offsets that order-create never received, as operators see them.

use serde_json::json;
use storefront::http::Call;

use crate::support::{Scripted, call, open_with, problem, program, store, two};

/// A request by an operator with this scope.
fn operator(method: &str, path: &str, scope: &str, body: Option<serde_json::Value>) -> Call {
    let claims =
        [("sub", "ops"), ("scope", scope)].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut call = call(method, path, None, body);
    call.claims = storefront::identity::Claims::new(claims.into_iter().collect());
    call
}

#[tokio::test]
async fn a_gap_is_listed_until_an_operator_closes_it() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    for buyer in ["alice", "bob"] {
        app.serve(&two(&id, buyer)).await.expect("accepted");
    }
    let messages = publisher.sent.lock().expect("whole").clone();
    store(&app, &messages[0], 0).await;
    store(&app, &messages[1], 5).await;
    let list = operator("GET", "/gaps", "parked:read", None);
    let listed = app.serve(&list).await.expect("listed").body;
    assert_eq!(listed["after"], json!(null));
    let gap = &listed["gaps"][0];
    assert_eq!(
        (&gap["from_offset"], &gap["until_offset"], &gap["state"]),
        (&json!("1"), &json!("5"), &json!("open"))
    );

    let path = format!("/gaps/{}/close", gap["id"].as_str().expect("an id"));
    let close = |scope, why| operator("POST", &path, scope, Some(json!({ "why": why })));
    assert_eq!(
        problem(app.serve(&close("parked:read", "deleted")).await),
        (403, "forbidden")
    );
    assert_eq!(
        problem(app.serve(&close("parked:write", " ")).await),
        (422, "invalid_close")
    );
    app.serve(&close("parked:write", "deleted by retention"))
        .await
        .expect("closed");
    assert_eq!(
        problem(app.serve(&close("parked:write", "again")).await),
        (404, "no_such_gap")
    );
    assert_eq!(
        app.serve(&list).await.expect("listed").body["gaps"],
        json!([])
    );
    let closed = app
        .serve(&operator("GET", "/gaps?closed=1", "parked:read", None))
        .await
        .expect("listed")
        .body;
    assert_eq!(
        (
            &closed["gaps"][0]["closed_by"],
            &closed["gaps"][0]["closed_why"]
        ),
        (&json!("ops"), &json!("deleted by retention"))
    );
    assert_eq!(
        problem(app.serve(&call("GET", "/gaps", Some("alice"), None)).await),
        (403, "forbidden")
    );
}
