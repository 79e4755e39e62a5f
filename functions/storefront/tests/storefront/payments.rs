//! What the payment provider tells.

use serde_json::{Value, json};
use storefront::http::Call;
use storefront::payments::signature::sign;
use storefront::{Clock, SystemClock};

use crate::support::{SECRET, Scripted, call, open_with, problem, program, store, two};

fn notify(body: &Value, key: &str) -> Call {
    let now = SystemClock.now_s();
    let mut call = call("POST", "/payments", None, Some(body.clone()));
    call.headers.insert("x-payment-timestamp".to_owned(), now.to_string());
    call.headers.insert("x-payment-signature".to_owned(), sign(key.as_bytes(), now, &call.body));
    call
}

#[tokio::test]
async fn a_payment_is_applied_once_and_only_by_the_provider() {
    let publisher = Scripted::new([]);
    let shop = open_with(publisher.clone()).await;
    let id = program(&shop).await;
    let made = shop.serve(&two(&id, "alice")).await.expect("accepted");
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&shop, &message, 0).await;
    let order = &made.body["order"];
    let body = json!({"reference": "r1", "order": order, "amount_cents": 200});
    assert_eq!(problem(shop.serve(&notify(&body, "another secret of somebody")).await), (401, "bad_signature"));
    assert_eq!(shop.serve(&notify(&body, SECRET)).await.expect("believed").body["result"], "applied");
    assert_eq!(shop.serve(&notify(&body, SECRET)).await.expect("believed").body["result"], "duplicate");
    let second = json!({"reference": "r2", "order": order, "amount_cents": 200});
    assert_eq!(shop.serve(&notify(&second, SECRET)).await.expect("believed").body["result"], "to_refund");
    let shown = shop.serve(&call("GET", &made.location.expect("a place"), Some("alice"), None)).await.expect("hers");
    assert_eq!(shown.body["status"], "paid");
    let cancel = call("POST", &format!("/orders/{}/cancel", order.as_str().expect("text")), Some("alice"), None);
    assert_eq!(problem(shop.serve(&cancel).await), (409, "already_final"));
}

#[tokio::test]
async fn a_payment_that_comes_before_its_order_waits_for_it() {
    let publisher = Scripted::new([]);
    let shop = open_with(publisher.clone()).await;
    let id = program(&shop).await;
    let made = shop.serve(&two(&id, "alice")).await.expect("accepted");
    let body = json!({"reference": "r1", "order": made.body["order"], "amount_cents": 200});
    assert_eq!(shop.serve(&notify(&body, SECRET)).await.expect("believed").body["result"], "unmatched");
}
