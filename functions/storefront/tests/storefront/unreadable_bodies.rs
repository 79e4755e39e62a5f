//! Unreadable bodies, signatures and trace contexts.

use crate::support::{Scripted, free, open_with, program};
use crate::unreadable::RawRequest;
use serde_json::json;

#[tokio::test]
async fn an_unreadable_body_is_refused() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let orders = format!("/programs/{id}/orders");
    let change = format!("/programs/{id}");
    let hall = r#"{"name":"A","rows":1,"seats_per_row":1,"price_cents":1}"#;
    let with = |more: &str| format!(r#"{{"title":"T","categories":[{hall}],{more}}}"#);
    for (method, path, body) in [
        (
            "POST",
            orders.as_str(),
            r#"{"category":0,"count":1,"cuont":2}"#.to_owned(),
        ),
        (
            "POST",
            &orders,
            r#"{"category":0,"count":1,"count":2}"#.to_owned(),
        ),
        ("POST", &orders, r#"{"category":0,"count":"1"}"#.to_owned()),
        (
            "POST",
            &orders,
            r#"{"category":0,"count":4294967296}"#.to_owned(),
        ),
        ("POST", "/programs", with(r#""user_limits":1"#)),
        ("POST", "/programs", with(r#""user_limit":"1""#)),
        ("POST", "/programs", with(r#""pay_window_seconds":1.5"#)),
        ("POST", "/programs", with(r#""title":"again""#)),
        (
            "PATCH",
            &change,
            r#"{"version":1,"user_limits":1}"#.to_owned(),
        ),
        ("POST", "/parked/1/replay", r#"{"replay":1}"#.to_owned()),
        ("POST", "/parked/1/replay", r#"{"replays":-1}"#.to_owned()),
        (
            "POST",
            "/parked/1/discard",
            r#"{"why":"w","by":"me"}"#.to_owned(),
        ),
        (
            "POST",
            "/payments/1/refunded",
            r#"{"note":"n","amount":1}"#.to_owned(),
        ),
        (
            "POST",
            "/gaps/1/close",
            r#"{"why":"w","by":"me"}"#.to_owned(),
        ),
    ] {
        assert_eq!(
            RawRequest {
                body: Some(&body),
                ..RawRequest::new(method, path)
            }
            .status(&app)
            .await,
            400,
            "{method} {path} {body}"
        );
    }
    assert_eq!(free(&app, &id).await, 10);
}

#[tokio::test]
async fn no_route_accepts_an_array() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let orders = format!("/programs/{id}/orders");
    let change = format!("/programs/{id}");
    for (method, path, body) in [
        ("POST", orders.as_str(), "[0,null,1,null]"),
        ("POST", &orders, "[0,[1,2],null,null]"),
        ("POST", &orders, "[]"),
        (
            "POST",
            "/programs",
            r#"["T",[{"name":"A","rows":1,"seats_per_row":1,"price_cents":1}],60,1]"#,
        ),
        (
            "POST",
            "/programs",
            r#"{"title":"T","categories":[["A",1,1,1]]}"#,
        ),
        ("PATCH", &change, r#"[1,"T",60,1,[]]"#),
        (
            "PATCH",
            &change,
            r#"{"version":1,"categories":[[0,"B",1]]}"#,
        ),
        ("POST", "/parked/1/replay", "[0]"),
        ("POST", "/parked/1/discard", r#"["w"]"#),
        ("POST", "/payments/1/refunded", r#"["n"]"#),
        ("POST", "/gaps/1/close", r#"["w"]"#),
    ] {
        assert_eq!(
            RawRequest {
                body: Some(body),
                ..RawRequest::new(method, path)
            }
            .status(&app)
            .await,
            400,
            "{method} {path} {body}"
        );
    }
    assert_eq!(free(&app, &id).await, 10);
}

#[tokio::test]
async fn an_unreadable_signature_is_refused() {
    let app = open_with(Scripted::new([])).await;
    let body = r#"{"reference":"r","order":"4611686018427387905","amount_cents":1}"#;
    for headers in [
        json!({}),
        json!({"x-payment-timestamp": "größe", "x-payment-signature": "v1=00"}),
        json!({"x-payment-timestamp": "1795370400", "x-payment-signature": "größe"}),
        json!({"x-payment-timestamp": "1795370400,1795370400", "x-payment-signature": "v1=00"}),
        json!({"x-payment-timestamp": "", "x-payment-signature": ""}),
    ] {
        let asked = RawRequest {
            headers: headers.clone(),
            body: Some(body),
            ..RawRequest::new("POST", "/payments")
        };
        assert_eq!(asked.status(&app).await, 401, "{headers}");
    }
}

/// By W3C Trace Context an invalid `traceparent` starts a new trace and is no error of the caller.
#[tokio::test]
async fn an_unreadable_traceparent_is_ignored() {
    let app = open_with(Scripted::new([])).await;
    for traceparent in ["größe", "", "00-zz"] {
        let asked = RawRequest {
            headers: json!({"traceparent": traceparent}),
            ..RawRequest::new("GET", "/orders")
        };
        assert_eq!(asked.status(&app).await, 200, "{traceparent:?}");
    }
}
