//! Refunds, as operators request, see and decide them.

use serde_json::{Value, json};
use shared::message::Nonce;
use std::time::Duration;
use storefront::App;
use storefront::http::Call;

use crate::payments::{notify, ops, two_orders};
use crate::support::{SECRET, Scripted, by, free, keyed, open_with, problem};

async fn pay(app: &App, order: &str, reference: &str) -> Value {
    let body = json!({"reference": reference, "order": order, "amount_cents": 200});
    let paid = app.serve(&notify(&body, SECRET)).await.expect("believed");
    paid.body["result"].clone()
}

fn request(order: &str, body: Value, key: &str) -> Call {
    let path = format!("/orders/{order}/refunds");
    keyed(ops("POST", &path, Some(body)), key)
}

async fn answer(app: &App, call: &Call) -> Value {
    app.serve(call).await.expect("answered").body
}

async fn status(app: &App, order: &str) -> Value {
    let order = answer(app, &ops("GET", &format!("/orders/{order}"), None)).await;
    order["status"].clone()
}

/// The program of an order.
async fn program_of(app: &App, order: &str) -> String {
    let order = answer(app, &ops("GET", &format!("/orders/{order}"), None)).await;
    order["program"].as_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_paid_order_is_refunded_in_parts() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let [alices, bobs] = two_orders(&app, &publisher).await;
    let unpaid = request(&alices, json!({"note": "too early"}), "k0");
    assert_eq!(problem(app.serve(&unpaid).await), (409, "not_paid"));
    assert_eq!(pay(&app, &alices, "p1").await, "applied");
    let program = program_of(&app, &alices).await;
    let before = free(&app, &program).await;

    let part = request(&alices, json!({"amount_cents": 50, "note": "part"}), "k1");
    let made = app.serve(&part).await.expect("taken");
    assert_eq!(
        (made.status, &made.body["state"]),
        (202, &json!("to_refund"))
    );
    let again = app.serve(&part).await.expect("the same");
    assert_eq!((again.status, &again.body["id"]), (200, &made.body["id"]));
    let other = request(&alices, json!({"amount_cents": 51, "note": "part"}), "k1");
    assert_eq!(
        problem(app.serve(&other).await),
        (422, "idempotency_key_reused")
    );
    for cents in [0, 151] {
        let body = json!({"amount_cents": cents, "note": "more"});
        let refused = app.serve(&request(&alices, body, "k2")).await;
        let refused = refused.expect_err("too much");
        assert_eq!((refused.status, refused.code), (409, "refund_too_large"));
        assert_eq!(refused.extras["left_cents"], 150);
    }
    assert_eq!(status(&app, &alices).await, "paid");

    let rest = request(&alices, json!({"note": "all of it"}), "k3");
    assert_eq!(answer(&app, &rest).await["amount_cents"], 150);
    assert_eq!(status(&app, &alices).await, "refunding");
    let list = ops(
        "GET",
        &format!("/refunds?order={alices}&state=to_refund"),
        None,
    );
    let listed = answer(&app, &list).await;
    let ids = listed["refunds"].as_array().expect("a list").iter();
    let ids: Vec<&str> = ids.filter_map(|refund| refund["id"].as_str()).collect();
    assert_eq!(ids.len(), 2);
    for id in ids {
        let body = Some(json!({"note": "cash"}));
        let recorded = ops("POST", &format!("/refunds/{id}/refunded"), body);
        for _ in 0..2 {
            let refund = answer(&app, &recorded).await;
            assert_eq!(
                (&refund["state"], &refund["ended_by"]),
                (&json!("refunded"), &json!("ops"))
            );
        }
    }
    assert_eq!(status(&app, &alices).await, "refunded");
    assert_eq!(free(&app, &program).await, before + 2, "its seats are free");
    assert_eq!(status(&app, &bobs).await, "unpaid");
}

#[tokio::test]
async fn a_refund_is_left_to_the_provider_until_it_decides() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let [order, _] = two_orders(&app, &publisher).await;
    pay(&app, &order, "p1").await;
    let made = answer(&app, &request(&order, json!({"note": "moved"}), "k1")).await;
    let id = made["id"].as_str().expect("an id");
    let retry = ops("POST", &format!("/refunds/{id}/retry"), None);
    assert_eq!(problem(app.serve(&retry).await), (409, "not_refused"));

    let token = Nonce::new([1; 16]);
    let lease = Duration::from_mins(1);
    let handed_out = app.store.hand_out_refunds(token, lease, 9).await;
    let handed_out = handed_out.expect("Postgres runs").remove(0);
    let body = Some(json!({"note": "cash"}));
    let recorded = ops("POST", &format!("/refunds/{id}/refunded"), body);
    assert_eq!(
        problem(app.serve(&recorded).await),
        (409, "refund_handed_out")
    );
    let refused = app
        .store
        .refund_refused(handed_out.id, token, "closed")
        .await;
    assert!(refused.expect("Postgres runs"));
    let listed = answer(&app, &ops("GET", "/refunds?state=refused", None)).await;
    assert_eq!(listed["refunds"][0]["answer"], "closed");
    assert_eq!(answer(&app, &retry).await["state"], "to_refund");
}

#[tokio::test]
async fn a_waiting_payment_is_assigned_to_the_order_that_was_meant() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let [order, other] = two_orders(&app, &publisher).await;
    let wrong = "382126012366848001";
    assert_eq!(pay(&app, wrong, "p1").await, "unmatched");
    let listed = answer(&app, &ops("GET", "/payments?state=unmatched", None)).await;
    let id = listed["payments"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let assign = |order: &str| {
        let body = Some(json!({"order": order}));
        ops("POST", &format!("/payments/{id}/assign"), body)
    };
    assert_eq!(
        problem(app.serve(&assign(wrong)).await),
        (404, "no_such_order")
    );
    for _ in 0..2 {
        let payment = answer(&app, &assign(&order)).await;
        assert_eq!(payment["state"], "applied");
        assert_eq!(
            (&payment["order"], &payment["reported_order"]),
            (&json!(order), &json!(wrong))
        );
    }
    assert_eq!(status(&app, &order).await, "paid");
    assert_eq!(pay(&app, wrong, "p1").await, "duplicate");
    assert_eq!(
        problem(app.serve(&assign(&other)).await),
        (409, "not_unmatched")
    );
}

#[tokio::test]
async fn refunds_are_for_operators_with_keys() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let body = || Some(json!({"note": "moved"}));
    let (create, retry) = ("/orders/382126012366848001/refunds", "/refunds/1/retry");
    for (method, path, body) in [
        ("GET", "/refunds", None),
        ("POST", create, body()),
        ("POST", retry, None),
        ("POST", "/refunds/1/refunded", body()),
        ("POST", "/payments/1/assign", Some(json!({"order": "1"}))),
    ] {
        let refused = app
            .serve(&by("ops", "parked:read", method, path, body))
            .await;
        assert_eq!(problem(refused), (403, "forbidden"), "{path}");
    }
    let no_key = app.serve(&ops("POST", create, body())).await;
    assert_eq!(problem(no_key), (400, "malformed_request"));
    let no_note = keyed(ops("POST", create, Some(json!({"note": " "}))), "k");
    assert_eq!(problem(app.serve(&no_note).await), (422, "invalid_refund"));
    let unknown = keyed(ops("POST", create, body()), "k");
    assert_eq!(problem(app.serve(&unknown).await), (404, "no_such_order"));
    for path in [retry, "/refunds/x/retry"] {
        let unknown = app.serve(&ops("POST", path, None)).await;
        assert_eq!(problem(unknown), (404, "no_such_refund"));
    }
    for path in [
        "/refunds?state=lost",
        "/refunds?after=7",
        "/refunds?reference=a",
    ] {
        let refused = app.serve(&ops("GET", path, None)).await;
        assert_eq!(problem(refused), (400, "malformed_request"), "{path}");
    }
}
