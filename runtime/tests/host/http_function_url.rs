//! Function URLs over a real listener: where they differ from HTTP APIs.

use std::time::Duration;

use reqwest::{Client, Method};
use sam_template::model::{Api, ApiKind, Cors, RestApi, Route};
use serde_json::{Value, json};

use crate::http_fixture::{json_body, post, rest, route, serve_with};

fn function_url(function: &str) -> Api {
    let route = Route {
        timeout: Duration::from_mins(15),
        ..route("$default", function)
    };
    Api {
        id: "FnUrl".into(),
        kind: ApiKind::FunctionUrl,
        routes: vec![route],
        stage: "$default".into(),
        ..Api::default()
    }
}

#[tokio::test]
async fn a_function_url_accepts_any_path_and_method() {
    let server = serve_with(function_url("Show"), None).await;
    let event = json_body(
        Client::new()
            .delete(format!("{}/any/path?x=1", server.url))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(
        (&event["version"], &event["routeKey"], &event["rawPath"]),
        (&json!("2.0"), &json!("$default"), &json!("/any/path"))
    );
    let context = &event["requestContext"];
    assert_eq!(
        (
            &context["apiId"],
            &context["stage"],
            &context["http"]["method"]
        ),
        (&json!("FnUrl"), &json!("$default"), &json!("DELETE"))
    );
    assert_eq!(context.get("authentication"), Some(&Value::Null));
}

#[tokio::test]
async fn a_url_body_without_content_type_is_base64() {
    let server = serve_with(function_url("Show"), None).await;
    let event = json_body(
        Client::new()
            .post(&server.url)
            .body("text")
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(
        (&event["body"], &event["isBase64Encoded"]),
        (&json!("dGV4dA=="), &json!(true))
    );
    let rest = serve_with(rest(&[("POST /", "Show")], RestApi::default()), None).await;
    let event = json_body(
        Client::new()
            .post(format!("{}/prod", rest.url))
            .body("text")
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(
        (&event["body"], &event["isBase64Encoded"]),
        (&json!("text"), &json!(false)),
        "a REST API lists its binary types"
    );
}

#[tokio::test]
async fn function_url_failures_are_plain_text() {
    for (function, status, text) in [
        ("Fail", 502, "Internal Server Error"),
        ("Say", 502, "Internal Server Error"),
        ("Busy", 429, "{\"message\":\"Rate Exceeded.\"}"),
    ] {
        let server = serve_with(function_url(function), None).await;
        let response = post(&server, "/", "text/plain", r#"{"statusCode": "often"}"#).await;
        assert_eq!(
            (
                response.status().as_u16(),
                response.text().await.unwrap().as_str()
            ),
            (status, text),
            "{function}"
        );
    }
}

#[tokio::test]
async fn a_function_url_answers_preflight_requests_itself() {
    let cors = Cors {
        origins: vec!["*".into()],
        methods: vec!["GET".into()],
        ..Cors::default()
    };
    let server = serve_with(
        Api {
            cors: Some(cors),
            ..function_url("Fail")
        },
        None,
    )
    .await;
    let preflight = Client::new()
        .request(Method::OPTIONS, &server.url)
        .header("origin", "https://a.test")
        .header("access-control-request-method", "GET");
    let granted = preflight.send().await.unwrap();
    assert_eq!(granted.headers()["access-control-allow-origin"], "*");
    assert_eq!(granted.headers()["access-control-allow-methods"], "GET");
}
