//! Programs.

use serde_json::json;

use crate::support::{Scripted, call, free, open_with, problem, program};

#[tokio::test]
async fn a_created_program_is_open_at_once_and_shows_its_seats_to_everybody() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    assert_eq!(free(&app, &id).await, 10);
    let seats = app
        .serve(&call(
            "GET",
            &format!("/programs/{id}/seats?category=0"),
            None,
            None,
        ))
        .await
        .expect("public");
    assert_eq!(seats.body["rows"], json!([".........."]));
    let missing = app
        .serve(&call(
            "GET",
            &format!("/programs/{id}/seats?category=1"),
            None,
            None,
        ))
        .await;
    assert_eq!(problem(missing), (404, "no_such_category"));
}

#[tokio::test]
async fn a_program_is_created_only_with_its_scope_and_within_bounds() {
    let app = open_with(Scripted::new([])).await;
    let body = json!({"title": "T", "categories": [{"name": "A", "rows": 0, "seats_per_row": 10,
    "price_cents": 100}]});
    let bad = app
        .serve(&call(
            "POST",
            "/programs",
            Some("promoter"),
            Some(body.clone()),
        ))
        .await;
    assert_eq!(problem(bad), (422, "invalid_program"));
    let mut scopeless = call("POST", "/programs", Some("promoter"), Some(body));
    scopeless.claims =
        storefront::identity::Claims::new([("sub".to_owned(), "promoter".to_owned())].into());
    assert_eq!(problem(app.serve(&scopeless).await), (403, "forbidden"));
    assert_eq!(
        problem(app.serve(&call("GET", "/programs/x", None, None)).await),
        (404, "no_such_program")
    );
}
