//! Payments of an order for operators, and rotation of signature keys.

use crate::payments::{notify, ops, payment, two_orders};
use crate::support::{
    SECRET, Scripted, by, call, open_with, open_with_settings, problem, settings,
};
use serde_json::json;
use storefront::http::Call;

#[tokio::test]
async fn an_operator_looks_up_any_order_with_its_payments() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let [alices, _] = two_orders(&app, &publisher).await;
    payment(&app, "p1", &alices, 200).await.expect("believed");
    let path = format!("/orders/{alices}");
    let shown = app
        .serve(&ops("GET", &path, None))
        .await
        .expect("found")
        .body;
    assert_eq!(
        (&shown["user"], &shown["status"]),
        (&json!("alice"), &json!("paid"))
    );
    assert_eq!(shown["payments"][0]["reference"], "p1");
    assert_eq!(
        problem(
            app.serve(&by("mallory", "payments:read", "GET", &path, None))
                .await
        ),
        (404, "no_such_order")
    );
    let hers = app
        .serve(&call("GET", &path, Some("alice"), None))
        .await
        .expect("hers")
        .body;
    assert!(
        hers.get("payments").is_none() && hers.get("user").is_none(),
        "{hers}"
    );
    assert_eq!(
        problem(
            app.serve(&ops("GET", "/orders/4611686018427387905", None))
                .await
        ),
        (404, "no_such_order")
    );
}

#[tokio::test]
async fn during_a_rotation_either_key_is_accepted() {
    const NEXT: &str = "the next secret of the tests";
    let changing = open_with_settings(
        settings(&[("PAYMENT_WEBHOOK_SECRET_NEXT", NEXT)]),
        Scripted::new([]),
    )
    .await;
    let body = |reference: &str| json!({"reference": reference, "order": "4611686018427387905", "amount_cents": 200});
    for (reference, key) in [("r1", SECRET), ("r2", NEXT)] {
        assert_eq!(
            changing
                .serve(&notify(&body(reference), key))
                .await
                .expect("believed")
                .body["result"],
            "unmatched"
        );
    }
    let mut both = notify(&body("r3"), "a secret of another provider");
    let signature = |call: &Call| {
        call.headers
            .get("x-payment-signature")
            .expect("readable")
            .expect("signed")
            .to_owned()
    };
    both.headers.insert(
        "x-payment-signature",
        format!(
            "{},{}",
            signature(&both),
            signature(&notify(&body("r3"), NEXT))
        ),
    );
    assert_eq!(
        changing.serve(&both).await.expect("believed").body["result"],
        "unmatched"
    );
    let unsure = notify(&body("r4"), "a secret of another provider");
    assert_eq!(
        problem(changing.serve(&unsure).await),
        (401, "bad_signature")
    );
}
