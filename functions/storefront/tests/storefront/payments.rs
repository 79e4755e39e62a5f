//! Notifications of the payment provider, and payments for operators.

use serde_json::{Value, json};
use shared::signature::sign;
use storefront::App;
use storefront::http::now_ms;
use storefront::http::{Call, Problem, Reply};

use crate::support::{SECRET, Scripted, by, call, open_with, problem, program, store, two};

pub(crate) fn notify(body: &Value, key: &str) -> Call {
    let now = now_ms() / 1000;
    let mut call = call("POST", "/payments", None, Some(body.clone()));
    call.headers
        .insert("x-payment-timestamp".to_owned(), now.to_string());
    call.headers.insert(
        "x-payment-signature".to_owned(),
        sign(key.as_bytes(), now, &call.body),
    );
    call
}

#[tokio::test]
async fn a_payment_is_applied_once_and_only_by_the_provider() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let made = app.serve(&two(&id, "alice")).await.expect("accepted");
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&app, &message, 0).await;
    let order = &made.body["order"];
    let body = json!({"reference": "r1", "order": order, "amount_cents": 200});
    assert_eq!(
        problem(
            app.serve(&notify(&body, "another secret of the tests"))
                .await
        ),
        (401, "bad_signature")
    );
    let array = json!(["r1", order, 200]);
    assert_eq!(
        app.serve(&notify(&array, SECRET))
            .await
            .expect_err("not a notification")
            .status,
        400
    );
    assert_eq!(
        app.serve(&notify(&body, SECRET))
            .await
            .expect("believed")
            .body["result"],
        "applied"
    );
    assert_eq!(
        app.serve(&notify(&body, SECRET))
            .await
            .expect("believed")
            .body["result"],
        "duplicate"
    );
    let second = json!({"reference": "r2", "order": order, "amount_cents": 200});
    assert_eq!(
        app.serve(&notify(&second, SECRET))
            .await
            .expect("believed")
            .body["result"],
        "to_refund"
    );
    let shown = app
        .serve(&call(
            "GET",
            &made.location.expect("a place"),
            Some("alice"),
            None,
        ))
        .await
        .expect("hers");
    assert_eq!(shown.body["status"], "paid");
    let cancel = call(
        "POST",
        &format!("/orders/{}/cancel", order.as_str().expect("text")),
        Some("alice"),
        None,
    );
    assert_eq!(problem(app.serve(&cancel).await), (409, "already_final"));
}

#[tokio::test]
async fn a_payment_that_comes_before_its_order_waits_for_it() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let made = app.serve(&two(&id, "alice")).await.expect("accepted");
    let body = json!({"reference": "r1", "order": made.body["order"], "amount_cents": 200});
    assert_eq!(
        app.serve(&notify(&body, SECRET))
            .await
            .expect("believed")
            .body["result"],
        "unmatched"
    );
}

/// Stores two orders of two seats at 200 cents each; returns their numbers.
pub(crate) async fn two_orders(app: &App, publisher: &Scripted) -> [String; 2] {
    let id = program(app).await;
    let mut numbers = Vec::new();
    for (at, sub) in ["alice", "bob"].into_iter().enumerate() {
        let made = app.serve(&two(&id, sub)).await.expect("accepted");
        let message = publisher.sent.lock().expect("whole")[at].clone();
        store(app, &message, at as i64).await;
        numbers.push(made.body["order"].as_str().expect("a number").to_owned());
    }
    numbers.try_into().expect("two")
}

/// A call of an operator with every scope for payments and orders.
pub(crate) fn ops(method: &str, path: &str, body: Option<Value>) -> Call {
    by(
        "ops",
        "payments:read payments:write orders:read",
        method,
        path,
        body,
    )
}

pub(crate) async fn payment(
    app: &App,
    reference: &str,
    order: &str,
    amount_cents: i64,
) -> Result<Reply, Problem> {
    let body = json!({"reference": reference, "order": order, "amount_cents": amount_cents});
    app.serve(&notify(&body, SECRET)).await
}

#[tokio::test]
async fn a_reused_reference_is_refused_and_recorded() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let [alices, bobs] = two_orders(&app, &publisher).await;
    assert_eq!(
        payment(&app, "r1", &alices, 200)
            .await
            .expect("believed")
            .body["result"],
        "applied"
    );
    for (order, amount) in [(&bobs, 200), (&alices, 100), (&bobs, 200)] {
        let refused = payment(&app, "r1", order, amount)
            .await
            .expect_err("another payment");
        assert_eq!(
            (refused.status, refused.code),
            (409, "payment_reference_reused")
        );
        assert_eq!(
            (&refused.extras["result"], &refused.extras["first_order"]),
            (&json!("to_refund"), &json!(alices))
        );
    }
    assert_eq!(
        payment(&app, "r1", &alices, 200)
            .await
            .expect("believed")
            .body["result"],
        "duplicate"
    );
    let listed = app
        .serve(&ops("GET", "/payments?state=to_refund", None))
        .await
        .expect("a list");
    let listed: Vec<_> = listed.body["payments"]
        .as_array()
        .expect("a list")
        .iter()
        .collect();
    let shown = |payment: &Value| {
        json!([
            payment["reference"],
            payment["order"],
            payment["amount_cents"],
            payment["reference_reused"]
        ])
    };
    assert_eq!(
        listed
            .iter()
            .map(|payment| shown(payment))
            .collect::<Vec<_>>(),
        [
            json!(["r1", alices, 100, true]),
            json!(["r1", bobs, 200, true])
        ]
    );
    assert_eq!(
        payment(&app, "r2", &bobs, 200)
            .await
            .expect("believed")
            .body["result"],
        "applied",
        "bob's order is still unpaid"
    );
}

#[tokio::test]
async fn an_operator_lists_payments_and_records_refunds() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let [alices, bobs] = two_orders(&app, &publisher).await;
    let nowhere = "4611686018427387905";
    for (reference, order, amount, result) in [
        ("p1", alices.as_str(), 200, "applied"),
        ("p2", &alices, 200, "to_refund"),
        ("p3", &bobs, 7, "amount_differs"),
        ("p4", nowhere, 300, "unmatched"),
    ] {
        assert_eq!(
            payment(&app, reference, order, amount)
                .await
                .expect("believed")
                .body["result"],
            result
        );
        let found = app
            .serve(&ops("GET", &format!("/payments?state={result}"), None))
            .await
            .expect("a list")
            .body;
        assert_eq!(
            (
                &found["payments"][0]["reference"],
                found["payments"].as_array().map(Vec::len)
            ),
            (&json!(reference), Some(1))
        );
    }
    let mut path = "/payments?limit=3".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = app
            .serve(&ops("GET", &path, None))
            .await
            .expect("a page")
            .body;
        seen.extend(
            page["payments"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|p| p["reference"].clone()),
        );
        let Some(after) = page["after"].as_str() else {
            break;
        };
        path = format!("/payments?limit=3&after={after}");
    }
    assert_eq!(seen, ["p4", "p3", "p2", "p1"]);
    let differs = app
        .serve(&ops("GET", &format!("/payments?order={bobs}"), None))
        .await
        .expect("a list")
        .body;
    let id = differs["payments"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let refund = |id: &str, note: &str| {
        ops(
            "POST",
            &format!("/payments/{id}/refunded"),
            Some(json!({"note": note})),
        )
    };
    for note in ["re-1", "re-2"] {
        let refunded = app.serve(&refund(&id, note)).await.expect("recorded").body;
        assert_eq!(
            (&refunded["state"], &refunded["refunded"]["note"]),
            (&json!("refunded"), &json!("re-1"))
        );
    }
    assert_eq!(
        problem(app.serve(&refund(&id, " ")).await),
        (422, "invalid_refund")
    );
    assert_eq!(
        problem(app.serve(&refund("999999", "re-3")).await),
        (404, "no_such_payment")
    );
    let applied = app
        .serve(&ops("GET", "/payments?reference=p1", None))
        .await
        .expect("a list")
        .body;
    let applied = applied["payments"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(
        problem(app.serve(&refund(&applied, "re-4")).await),
        (409, "not_to_refund")
    );
    for path in [
        "/payments?state=lost",
        "/payments?order=x",
        "/payments?reference=",
        "/payments?after=7",
        "/payments?limit=0",
    ] {
        assert_eq!(
            problem(app.serve(&ops("GET", path, None)).await),
            (400, "malformed_request"),
            "{path}"
        );
    }
    for call in [
        by("ops", "parked:read", "GET", "/payments", None),
        by("ops", "payments:read", "POST", "/payments/1/refunded", None),
    ] {
        assert_eq!(problem(app.serve(&call).await), (403, "forbidden"));
    }
    assert_eq!(
        problem(app.serve(&call("GET", "/payments", None, None)).await),
        (401, "unauthorized")
    );
}
