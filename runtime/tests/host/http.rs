//! HTTP APIs over a real listener: the event that the function receives, and the client's response.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, StatusCode};
use sam_template::model::Cors;
use serde_json::{Value, json};

use crate::http_fixture::{api, message, route, serve, serve_with};

#[tokio::test]
async fn a_request_becomes_payload_format_2() {
    let server = serve(&[("POST /orders/{number}/{rest+}", "Echo")]).await;
    let mut headers = HeaderMap::new();
    headers.append("X-Many", HeaderValue::from_static("a"));
    headers.append("X-Many", HeaderValue::from_static("b"));
    headers.append("Cookie", HeaderValue::from_static("c1=1; c2=2"));
    headers.append("Content-Type", HeaderValue::from_static("application/json"));
    let url = format!("{}/orders/4%202/x/y?q=1&q=2&e=%C3%A9+f", server.url);
    let response = Client::new()
        .post(url)
        .headers(headers)
        .body(r#"{"a":1}"#)
        .send()
        .await
        .unwrap();
    assert!(response.headers().contains_key("apigw-requestid"));
    let event = response.json::<Value>().await.unwrap()["event"].clone();

    assert_eq!(event["version"], "2.0");
    assert_eq!(event["routeKey"], "POST /orders/{number}/{rest+}");
    assert_eq!(event["rawPath"], "/orders/4%202/x/y");
    assert_eq!(event["rawQueryString"], "q=1&q=2&e=%C3%A9+f");
    assert_eq!(event["cookies"], json!(["c1=1", "c2=2"]));
    assert_eq!(event["headers"]["x-many"], "a,b");
    assert!(event["headers"]["cookie"].is_null());
    assert_eq!(event["headers"]["x-forwarded-for"], "127.0.0.1");
    assert!(
        event["headers"]["x-amzn-trace-id"]
            .as_str()
            .unwrap()
            .starts_with("Root=1-")
    );
    assert_eq!(
        event["queryStringParameters"],
        json!({"q": "1,2", "e": "\u{e9} f"})
    );
    assert_eq!(
        event["pathParameters"],
        json!({"number": "4 2", "rest": "x/y"})
    );
    assert_eq!(
        (&event["body"], &event["isBase64Encoded"]),
        (&json!(r#"{"a":1}"#), &json!(false))
    );
    let context = &event["requestContext"];
    assert_eq!(
        (&context["accountId"], &context["stage"], &context["apiId"]),
        (&json!("000000000000"), &json!("$default"), &json!("Api"))
    );
    assert_eq!(
        (&context["http"]["method"], &context["http"]["sourceIp"]),
        (&json!("POST"), &json!("127.0.0.1"))
    );
    assert_eq!(
        (&context["http"]["protocol"], &context["domainName"]),
        (&json!("HTTP/1.1"), &json!("127.0.0.1"))
    );
    assert!(context["timeEpoch"].as_i64().unwrap() > 1_700_000_000_000);
    assert!(context["time"].as_str().unwrap().ends_with(" +0000"));
    assert!(context["authorizer"].is_null());
}

#[tokio::test]
async fn an_absent_value_is_omitted_in_format_2() {
    let server = serve(&[("GET /", "Echo")]).await;
    let response = Client::new().get(&server.url).send().await.unwrap();
    let event = response.json::<Value>().await.unwrap()["event"].clone();
    let names = |object: &Value| -> Vec<String> {
        let mut names: Vec<String> = object.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(
        names(&event),
        [
            "headers",
            "isBase64Encoded",
            "rawPath",
            "rawQueryString",
            "requestContext",
            "routeKey",
            "version"
        ]
    );
    assert_eq!(event["rawQueryString"], "");
    assert_eq!(
        names(&event["requestContext"]),
        [
            "accountId",
            "apiId",
            "domainName",
            "domainPrefix",
            "http",
            "requestId",
            "routeKey",
            "stage",
            "time",
            "timeEpoch"
        ]
    );
    assert_eq!(
        names(&event["requestContext"]["http"]),
        ["method", "path", "protocol", "sourceIp", "userAgent"]
    );
    assert_eq!(event["requestContext"]["http"]["userAgent"], "");
}

#[tokio::test]
async fn a_header_outside_ascii_is_never_treated_as_absent() {
    let server = serve(&[("GET /", "Echo")]).await;
    let mut headers = HeaderMap::new();
    headers.append(
        "Cookie",
        HeaderValue::from_bytes("name=Gr\u{f6}\u{df}e; other=1".as_bytes()).unwrap(),
    );
    headers.append("User-Agent", HeaderValue::from_bytes(b"M\xfcller").unwrap());
    headers.append(
        "X-Forwarded-For",
        HeaderValue::from_bytes(b"1.2.3.4, \xff").unwrap(),
    );
    let response = Client::new()
        .get(&server.url)
        .headers(headers)
        .send()
        .await
        .unwrap();
    let event = response.json::<Value>().await.unwrap()["event"].clone();
    assert_eq!(event["cookies"], json!(["name=Gr\u{f6}\u{df}e", "other=1"]));
    assert_eq!(
        event["requestContext"]["http"]["userAgent"],
        "M\u{fffd}ller"
    );
    assert_eq!(
        event["headers"]["x-forwarded-for"],
        "1.2.3.4, \u{fffd}, 127.0.0.1"
    );
}

#[tokio::test]
async fn a_body_without_a_content_type_is_base64() {
    let server = serve(&[("POST /", "Echo")]).await;
    let post = async |content_type: Option<&str>, body: &'static str| {
        let mut request = Client::new().post(&server.url).body(body);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let event = request.send().await.unwrap().json::<Value>().await.unwrap()["event"].clone();
        (event["body"].clone(), event["isBase64Encoded"].clone())
    };
    assert_eq!(
        post(None, r#"{"a":1}"#).await,
        (json!("eyJhIjoxfQ=="), json!(true))
    );
    assert_eq!(post(None, "").await, (Value::Null, json!(false)));
    assert_eq!(
        post(Some("application/json; charset=utf-8"), "{}").await,
        (json!("{}"), json!(false))
    );
    assert_eq!(
        post(Some("application/x-www-form-urlencoded"), "a=1").await,
        (json!("YT0x"), json!(true))
    );
}

#[tokio::test]
async fn bytes_travel_as_base64_both_ways() {
    let server = serve(&[("POST /echo", "Echo"), ("POST /say", "Say")]).await;
    let client = Client::new();
    let sent = client
        .post(format!("{}/echo", server.url))
        .header("content-type", "application/octet-stream")
        .body(vec![0, 255, 1]);
    let event = sent.send().await.unwrap().json::<Value>().await.unwrap()["event"].clone();
    assert_eq!(
        (&event["body"], &event["isBase64Encoded"]),
        (&json!("AP8B"), &json!(true))
    );

    let answer = json!({"statusCode": 201, "headers": {"content-type": "image/png"}, "cookies": ["a=1", "b=2"], "body": "AP8B", "isBase64Encoded": true});
    let response = client
        .post(format!("{}/say", server.url))
        .json(&answer)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            response.status(),
            response.headers().get_all("set-cookie").iter().count()
        ),
        (StatusCode::CREATED, 2)
    );
    assert_eq!(response.headers()["content-type"], "image/png");
    assert_eq!(response.bytes().await.unwrap().as_ref(), [0, 255, 1]);
}

#[tokio::test]
async fn failures_have_the_services_texts_only() {
    let mut routes = vec![
        route("POST /fail", "Fail"),
        route("POST /busy", "Busy"),
        route("POST /say", "Say"),
        route("POST /never", "Never"),
    ];
    routes[3].timeout = Duration::from_millis(50);
    let server = serve_with(api(routes), None).await;
    let client = Client::new();
    let post = |path: &str, body: &str| {
        client
            .post(format!("{}{path}", server.url))
            .header("content-type", "text/plain")
            .body(body.to_owned())
            .send()
    };
    for (path, body, status, text) in [
        ("/nowhere", "", 404, "Not Found"),
        ("/fail", "", 500, "Internal Server Error"),
        ("/say", "not json", 500, "Internal Server Error"),
        (
            "/say",
            r#"{"statusCode": "often"}"#,
            500,
            "Internal Server Error",
        ),
        ("/busy", "", 503, "Service Unavailable"),
        ("/never", "", 503, "Service Unavailable"),
    ] {
        let (got, body) = message(post(path, body).await.unwrap()).await;
        assert_eq!(
            (got.as_u16(), body),
            (status, json!({ "message": text })),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_request_too_large_for_an_event_is_413() {
    let server = serve(&[("POST /echo", "Echo")]).await;
    let post = |bytes: usize| {
        Client::new()
            .post(format!("{}/echo", server.url))
            .header("content-type", "text/plain")
            .body("x".repeat(bytes))
            .send()
    };
    assert_eq!(
        post(7 * 1024 * 1024).await.unwrap().status(),
        StatusCode::PAYLOAD_TOO_LARGE,
        "an event over 6 MB"
    );
    // The server may close before it has read everything, which the client then sees as a broken
    // connection.
    if let Ok(response) = post(11 * 1024 * 1024).await {
        assert_eq!(
            response.status(),
            StatusCode::PAYLOAD_TOO_LARGE,
            "a body over 10 MB"
        );
    }
}

#[tokio::test]
async fn an_open_request_is_answered_during_a_drain() {
    let server = serve(&[("GET /held", "Held")]).await;
    let asked = tokio::spawn(Client::new().get(format!("{}/held", server.url)).send());
    server.functions.entered.notified().await;
    server.stop.send(true).unwrap();
    server.functions.release.notify_one();
    assert_eq!(asked.await.unwrap().unwrap().text().await.unwrap(), "done");
    server.serving.await.unwrap().unwrap();
    assert!(
        Client::new().get(&server.url).send().await.is_err(),
        "the port is closed"
    );
}

#[tokio::test]
async fn the_services_cors_headers_win() {
    let mut api = api(vec![route("POST /say", "Say")]);
    api.cors = Some(Cors {
        origins: vec!["https://shop.test".into()],
        methods: vec!["POST".into()],
        headers: vec!["content-type".into()],
        credentials: true,
        max_age: Some(60),
        ..Cors::default()
    });
    let server = serve_with(api, None).await;
    let preflight = |origin: &'static str| {
        Client::new()
            .request(Method::OPTIONS, format!("{}/say", server.url))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .send()
    };
    let granted = preflight("https://shop.test").await.unwrap();
    assert_eq!(
        (
            granted.status(),
            &granted.headers()["access-control-allow-origin"]
        ),
        (
            StatusCode::NO_CONTENT,
            &HeaderValue::from_static("https://shop.test")
        )
    );
    assert_eq!(granted.headers()["access-control-max-age"], "60");
    assert!(
        !preflight("https://evil.test")
            .await
            .unwrap()
            .headers()
            .contains_key("access-control-allow-origin")
    );

    let answer = json!({"statusCode": 200, "headers": {"access-control-allow-origin": "*"}});
    let response = Client::new()
        .post(format!("{}/say", server.url))
        .header("origin", "https://shop.test")
        .json(&answer)
        .send()
        .await
        .unwrap();
    assert_eq!(
        response
            .headers()
            .get_all("access-control-allow-origin")
            .iter()
            .collect::<Vec<_>>(),
        ["https://shop.test"]
    );
}
