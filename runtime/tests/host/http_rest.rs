//! REST APIs over a real listener: where they differ from HTTP APIs.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Client, Method, StatusCode};
use sam_template::model::{Api, PreflightMock, RestApi};
use serde_json::{Value, json};

use crate::http_fixture::{json_body, message, post, rest, serve_with};

#[tokio::test]
async fn a_rest_request_becomes_payload_format_1() {
    let server = serve_with(
        rest(
            &[("ANY /orders/{number}/{rest+}", "Show")],
            RestApi::default(),
        ),
        None,
    )
    .await;
    let request = Client::new()
        .request(
            Method::PUT,
            format!("{}/prod/orders/4%202/x/y?q=1&q=2&e=%C3%A9+f", server.url),
        )
        .header("x-many", "a")
        .header("x-many", "b")
        .header("cookie", "c=1")
        .header("content-type", "application/json")
        .body(r#"{"a":1}"#);
    let event = json_body(request.send().await.unwrap()).await;

    assert!(
        event["version"].is_null(),
        "the first format does not number itself"
    );
    assert_eq!(
        (&event["resource"], &event["httpMethod"]),
        (&json!("/orders/{number}/{rest+}"), &json!("PUT"))
    );
    assert_eq!(event["path"], "/orders/4%202/x/y");
    assert_eq!(
        (
            &event["headers"]["X-Many"],
            &event["multiValueHeaders"]["X-Many"]
        ),
        (&json!("b"), &json!(["a", "b"]))
    );
    assert_eq!(
        (
            &event["headers"]["Cookie"],
            &event["headers"]["Content-Type"]
        ),
        (&json!("c=1"), &json!("application/json"))
    );
    assert_eq!(event["headers"]["X-Forwarded-For"], "127.0.0.1");
    assert_eq!(
        event["queryStringParameters"],
        json!({"q": "2", "e": "\u{e9} f"})
    );
    assert_eq!(
        event["multiValueQueryStringParameters"],
        json!({"q": ["1", "2"], "e": ["\u{e9} f"]})
    );
    assert_eq!(
        event["pathParameters"],
        json!({"number": "4 2", "rest": "x/y"})
    );
    assert_eq!(event["stageVariables"], json!({"colour": "blue"}));
    assert_eq!(
        (&event["body"], &event["isBase64Encoded"]),
        (&json!(r#"{"a":1}"#), &json!(false))
    );
    let context = &event["requestContext"];
    assert_eq!(
        (&context["stage"], &context["apiId"], &context["httpMethod"]),
        (&json!("prod"), &json!("Rest"), &json!("PUT"))
    );
    assert_eq!(
        (&context["resourcePath"], &context["path"]),
        (&event["resource"], &json!("/prod/orders/4%202/x/y"))
    );
    assert_eq!(context["identity"]["sourceIp"], "127.0.0.1");
    assert!(
        context["identity"]["cognitoIdentityId"].is_null()
            && context["identity"].get("cognitoIdentityId").is_some()
    );
    assert!(context["requestTimeEpoch"].as_i64().unwrap() > 1_700_000_000_000);
}

#[tokio::test]
async fn absent_values_are_null() {
    let server = serve_with(
        Api {
            variables: BTreeMap::new(),
            ..rest(&[("GET /", "Show")], RestApi::default())
        },
        None,
    )
    .await;
    let event = json_body(reqwest::get(format!("{}/prod", server.url)).await.unwrap()).await;
    for key in [
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "body",
    ] {
        assert_eq!(event.get(key), Some(&Value::Null), "{key}");
    }
    assert_eq!(event["path"], "/");
}

#[tokio::test]
async fn a_rest_api_answers_under_its_stage_and_at_the_root() {
    let server = serve_with(
        rest(
            &[("GET /pets", "Show"), ("ANY /{proxy+}", "Show")],
            RestApi::default(),
        ),
        None,
    )
    .await;
    for (path, resource) in [
        ("/prod/pets", "/pets"),
        ("/pets", "/pets"),
        ("/prod/a", "/{proxy+}"),
        ("/production/a", "/{proxy+}"),
    ] {
        let event = json_body(reqwest::get(format!("{}{path}", server.url)).await.unwrap()).await;
        assert_eq!(event["resource"], resource, "{path}");
        assert!(
            event["requestContext"]["path"]
                .as_str()
                .unwrap()
                .starts_with("/prod/"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn rest_failures_have_the_services_texts() {
    let routes = [
        ("POST /fail", "Fail"),
        ("POST /busy", "Busy"),
        ("POST /say", "Say"),
        ("POST /never", "Never"),
        ("ANY /{p+}", "Show"),
    ];
    let mut api = rest(&routes, RestApi::default());
    api.routes[3].timeout = Duration::from_millis(50);
    let server = serve_with(api, None).await;
    for (path, body, status, text) in [
        ("/prod", "", 403, "Missing Authentication Token"),
        ("/prod/fail", "", 502, "Internal server error"),
        ("/prod/say", "not json", 502, "Internal server error"),
        ("/prod/say", r#""text""#, 502, "Internal server error"),
        (
            "/prod/say",
            r#"{"statusCode": 200, "extra": 1}"#,
            502,
            "Internal server error",
        ),
        ("/prod/busy", "", 500, "Internal server error"),
        ("/prod/never", "", 504, "Endpoint request timed out"),
    ] {
        let (got, body) = message(post(&server, path, "text/plain", body).await).await;
        assert_eq!(
            (got.as_u16(), body),
            (status, json!({ "message": text })),
            "{path}"
        );
    }
    let unknown = reqwest::get(format!("{}/prod/fail", server.url))
        .await
        .unwrap();
    assert_eq!(
        unknown.status(),
        StatusCode::FORBIDDEN,
        "the path has no GET, and {{p+}} is no way out"
    );
    assert_eq!(
        unknown.headers()["x-amzn-errortype"],
        "MissingAuthenticationTokenException"
    );
    assert!(unknown.headers().contains_key("x-amzn-requestid"));
}

#[tokio::test]
async fn binary_media_types_select_base64() {
    let settings = RestApi {
        binary_media_types: vec!["image/png".into()],
        ..RestApi::default()
    };
    let server = serve_with(
        rest(&[("POST /show", "Show"), ("POST /say", "Say")], settings),
        None,
    )
    .await;
    let event = json_body(post(&server, "/prod/show", "image/png", vec![0, 255]).await).await;
    assert_eq!(
        (&event["body"], &event["isBase64Encoded"]),
        (&json!("AP8="), &json!(true))
    );
    let event =
        json_body(post(&server, "/prod/show", "application/octet-stream", "plain").await).await;
    assert_eq!(
        (&event["body"], &event["isBase64Encoded"]),
        (&json!("plain"), &json!(false))
    );

    let answer = json!({"statusCode": 200, "headers": {"content-type": "image/png"}, "body": "AP8=", "isBase64Encoded": true});
    let ask = |accept: &'static str| {
        Client::new()
            .post(format!("{}/prod/say", server.url))
            .header("accept", accept)
            .json(&answer)
            .send()
    };
    assert_eq!(
        ask("image/png")
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap()
            .as_ref(),
        [0, 255]
    );
    assert_eq!(
        ask("text/html")
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap()
            .as_ref(),
        b"AP8="
    );
}

#[tokio::test]
async fn a_rest_api_with_cors_answers_options_only() {
    let mock = PreflightMock {
        origin: "https://shop.test".into(),
        ..PreflightMock::default()
    };
    let settings = RestApi {
        preflight: Some(mock),
        ..RestApi::default()
    };
    let server = serve_with(
        rest(
            &[
                ("POST /a", "Show"),
                ("GET /a", "Show"),
                ("ANY /own/{p+}", "Show"),
                ("OPTIONS /own/{p+}", "Show"),
            ],
            settings,
        ),
        None,
    )
    .await;
    let options = |path: &str| {
        Client::new()
            .request(Method::OPTIONS, format!("{}{path}", server.url))
            .send()
    };
    let granted = options("/prod/a").await.unwrap();
    assert_eq!(
        (
            granted.status(),
            &granted.headers()["access-control-allow-methods"]
        ),
        (
            StatusCode::OK,
            &HeaderValue::from_static("GET,OPTIONS,POST")
        )
    );
    assert_eq!(
        granted.headers()["access-control-allow-origin"],
        "https://shop.test"
    );
    assert_eq!(
        json_body(options("/prod/own/x").await.unwrap()).await["httpMethod"],
        "OPTIONS",
        "a route of its own comes first"
    );
    let plain = post(&server, "/prod/a", "text/plain", "").await;
    assert!(
        !plain.headers().contains_key("access-control-allow-origin"),
        "the function would have to say it"
    );
    assert_eq!(
        options("/prod/nowhere").await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
}
