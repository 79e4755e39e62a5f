//! HTTP APIs over a real listener: what the function sees, what the client gets, and who is let in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use usher::http::{self, KeySet, KeyStore};
use usher::invocation::{
    ConcurrencyLimit, FunctionError, Invoke, Outcome, Rejected, Request, Response,
};
use usher::listener::{Endpoint, Listener};
use usher::model::{Api, Cors, JwtAuthorizer, Route};

/// Does what the function's name says.
#[derive(Default)]
pub(crate) struct Functions {
    entered: Notify,
    release: Notify,
}

#[async_trait::async_trait]
impl Invoke for Functions {
    async fn invoke(&self, request: Request, _wait_for_slot: bool) -> Result<Response, Rejected> {
        let answer = |value: Value| Outcome::Answer(Bytes::from(value.to_string()));
        let event: Value = serde_json::from_slice(&request.payload).unwrap();
        let outcome = match request.function.as_str() {
            "Echo" => answer(json!({ "event": event })),
            // The same in the form that REST APIs insist on.
            "Show" => answer(json!({ "statusCode": 200, "body": event.to_string() })),
            // The body of the request is the answer.
            "Say" => Outcome::Answer(Bytes::from(
                event["body"].as_str().unwrap_or_default().to_owned(),
            )),
            "Fail" => Outcome::Error(FunctionError {
                error_type: "E".into(),
                message: "secret detail".into(),
                body: Bytes::new(),
            }),
            "Busy" => {
                return Err(Rejected::Throttled(ConcurrencyLimit {
                    function: request.function,
                    limit: 1,
                    reserved: true,
                }));
            }
            "Never" => std::future::pending().await,
            "Held" => {
                self.entered.notify_one();
                self.release.notified().await;
                answer(json!("done"))
            }
            other => panic!("no function {other}"),
        };
        Ok(Response {
            request_id: "r".into(),
            outcome,
        })
    }
}

pub(crate) struct Server {
    pub(crate) url: String,
    functions: Arc<Functions>,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<Result<(), String>>,
}

pub(crate) fn route(key: &str, function: &str) -> Route {
    let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
    Route {
        method: method.into(),
        path: path.into(),
        function: function.into(),
        authorizer: None,
        scopes: Vec::new(),
        timeout: Duration::from_secs(30),
    }
}

pub(crate) fn api(routes: Vec<Route>) -> Api {
    Api {
        id: "Api".into(),
        routes,
        stage: "$default".into(),
        ..Api::default()
    }
}

pub(crate) async fn serve_with(api: Api, keys: Option<KeySet>) -> Server {
    serve_checked(api, keys.map(|set| Arc::new(KeyStore::fixed(set)))).await
}

pub(crate) async fn serve_checked(api: Api, keys: Option<Arc<KeyStore>>) -> Server {
    let listener = Listener::bind(Endpoint::loopback("test")).await.unwrap();
    let url = format!("http://{}", listener.address());
    let functions = Arc::new(Functions::default());
    let (stop, stopping) = watch::channel(false);
    let serving = tokio::spawn(http::serve(
        api,
        listener,
        keys,
        functions.clone(),
        stopping,
    ));
    Server {
        url,
        functions,
        stop,
        serving,
    }
}

async fn serve(routes: &[(&str, &str)]) -> Server {
    serve_with(
        api(routes
            .iter()
            .map(|(key, function)| route(key, function))
            .collect()),
        None,
    )
    .await
}

pub(crate) async fn message(response: reqwest::Response) -> (StatusCode, Value) {
    (response.status(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_function_sees_the_request_as_payload_format_2_documents() {
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
async fn failures_read_as_the_service_words_them_and_tell_nothing_of_the_inside() {
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
async fn what_is_too_large_for_an_event_is_413() {
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
    // The server may close before it has read everything, which the client then sees as a broken connection.
    if let Ok(response) = post(11 * 1024 * 1024).await {
        assert_eq!(
            response.status(),
            StatusCode::PAYLOAD_TOO_LARGE,
            "a body over 10 MB"
        );
    }
}

#[tokio::test]
async fn a_request_in_flight_is_answered_while_the_host_drains() {
    let server = serve(&[("GET /held", "Held")]).await;
    let asked = tokio::spawn(Client::new().get(format!("{}/held", server.url)).send());
    server.functions.entered.notified().await;
    server.stop.send(true).unwrap();
    server.functions.release.notify_one();
    assert_eq!(asked.await.unwrap().unwrap().text().await.unwrap(), "done");
    server.serving.await.unwrap().unwrap();
    assert!(
        Client::new().get(&server.url).send().await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn cors_is_answered_by_the_service_and_its_headers_win() {
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

pub(crate) const KNOWN: &str = include_str!("keys/known.pem");
pub(crate) const STRANGER: &str = include_str!("keys/stranger.pem");

fn key_set() -> KeySet {
    KeySet::parse(&jwks(&[("k1", KNOWN)])).unwrap()
}

/// A JWKS document with these private keys' public halves.
pub(crate) fn jwks(keys: &[(&str, &str)]) -> String {
    let one = |(kid, pem): &(&str, &str)| {
        let mut jwk = Jwk::from_encoding_key(
            &EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
            Algorithm::RS256,
        )
        .unwrap();
        jwk.common.key_id = Some((*kid).to_owned());
        jwk
    };
    json!({ "keys": keys.iter().map(one).collect::<Vec<_>>() }).to_string()
}

pub(crate) fn guarded() -> Api {
    let mut routes = vec![
        route("GET /mine", "Echo"),
        route("GET /write", "Echo"),
        route("GET /open", "Echo"),
    ];
    routes[0].authorizer = Some("Jwt".into());
    routes[1].authorizer = Some("Jwt".into());
    routes[1].scopes = vec!["write".into(), "admin".into()];
    let jwt = JwtAuthorizer {
        issuer: "https://issuer.test/".into(),
        audience: vec!["app".into()],
        identity_source: "$request.header.Authorization".into(),
        scopes: Vec::new(),
    };
    Api {
        authorizers: BTreeMap::from([("Jwt".into(), jwt)]),
        ..api(routes)
    }
}

pub(crate) fn claims(change: &Value) -> Value {
    let mut claims = json!({"iss": "https://issuer.test/", "aud": "app", "sub": "alice", "exp": 4_000_000_000_u64, "groups": ["a", "b"]});
    for (key, value) in change.as_object().unwrap() {
        claims[key] = value.clone();
    }
    claims
}

pub(crate) fn token(algorithm: Algorithm, kid: &str, key: &EncodingKey, claims: &Value) -> String {
    jsonwebtoken::encode(
        &Header {
            kid: Some(kid.into()),
            ..Header::new(algorithm)
        },
        claims,
        key,
    )
    .unwrap()
}

fn good_token(change: &Value) -> String {
    token(
        Algorithm::RS256,
        "k1",
        &EncodingKey::from_rsa_pem(KNOWN.as_bytes()).unwrap(),
        &claims(change),
    )
}

pub(crate) async fn get(server: &Server, path: &str, token: Option<&str>) -> reqwest::Response {
    let request = Client::new().get(format!("{}{path}", server.url));
    match token {
        Some(token) => request.header("authorization", token).send().await.unwrap(),
        None => request.send().await.unwrap(),
    }
}

#[tokio::test]
async fn a_good_token_passes_and_its_claims_reach_the_function_as_text() {
    let server = serve_with(guarded(), Some(key_set())).await;
    let token = good_token(&json!({"scope": "read write"}));
    for presented in [format!("Bearer {token}"), token.clone()] {
        let response = get(&server, "/write", Some(&presented)).await;
        assert_eq!(response.status(), StatusCode::OK);
        let event = response.json::<Value>().await.unwrap()["event"].clone();
        let jwt = &event["requestContext"]["authorizer"]["jwt"];
        assert_eq!(
            (&jwt["claims"]["sub"], &jwt["claims"]["exp"]),
            (&json!("alice"), &json!("4000000000"))
        );
        assert_eq!(
            (&jwt["claims"]["groups"], &jwt["scopes"]),
            (&json!("[a b]"), &json!(["write"]))
        );
    }
    assert_eq!(
        get(&server, "/open", None).await.status(),
        StatusCode::OK,
        "a route without an authorizer asks nothing"
    );
}

#[tokio::test]
async fn whoever_has_no_good_token_stays_out() {
    let server = serve_with(guarded(), Some(key_set())).await;
    let known = EncodingKey::from_rsa_pem(KNOWN.as_bytes()).unwrap();
    let stranger = EncodingKey::from_rsa_pem(STRANGER.as_bytes()).unwrap();
    let plain = claims(&json!({}));
    let good = good_token(&json!({}));
    let (head, rest) = good.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let encode = |value: &Value| {
        base64::Engine::encode(
            &base64::engine::general_purpose::URL_SAFE_NO_PAD,
            value.to_string(),
        )
    };
    let none = format!(
        "{}.{}.",
        encode(&json!({"alg": "none", "kid": "k1"})),
        encode(&plain)
    );
    let swapped = format!(
        "{head}.{}.{signature}",
        encode(&claims(&json!({"sub": "mallory"})))
    );
    let tokens = [
        ("no signature", none),
        ("claims swapped under a signature", swapped),
        (
            "another key under the known id",
            token(Algorithm::RS256, "k1", &stranger, &plain),
        ),
        (
            "an unknown key id",
            token(Algorithm::RS256, "k2", &known, &plain),
        ),
        (
            "another algorithm than the key's",
            token(Algorithm::RS512, "k1", &known, &plain),
        ),
        (
            "a shared secret made of public things",
            token(
                Algorithm::HS256,
                "k1",
                &EncodingKey::from_secret(KNOWN.as_bytes()),
                &plain,
            ),
        ),
        ("expired", good_token(&json!({"exp": 1_000_000_000}))),
        (
            "not yet valid",
            good_token(&json!({"nbf": 3_999_999_999_u64})),
        ),
        (
            "another issuer",
            good_token(&json!({"iss": "https://issuer.test"})),
        ),
        (
            "another audience",
            good_token(&json!({"aud": "other", "client_id": "app"})),
        ),
        ("noise", "a.b.c".into()),
        ("nothing", String::new()),
    ];
    for (what, token) in tokens {
        let response = get(&server, "/mine", Some(&format!("Bearer {token}"))).await;
        assert!(
            response.headers()["www-authenticate"]
                .to_str()
                .unwrap()
                .starts_with("Bearer"),
            "{what}"
        );
        assert_eq!(
            message(response).await,
            (StatusCode::UNAUTHORIZED, json!({"message": "Unauthorized"})),
            "{what}"
        );
    }
    assert_eq!(
        get(&server, "/mine", None).await.status(),
        StatusCode::UNAUTHORIZED
    );
    let unscoped = get(
        &server,
        "/write",
        Some(&good_token(&json!({"scope": "read writer"}))),
    )
    .await;
    assert_eq!(
        message(unscoped).await,
        (StatusCode::FORBIDDEN, json!({"message": "Forbidden"}))
    );
}

#[tokio::test]
async fn without_keys_an_api_with_an_authorizer_is_not_served() {
    let server = serve_with(guarded(), None).await;
    let refused = server.serving.await.unwrap().unwrap_err();
    assert!(
        refused.contains("GET /mine") && refused.contains("--jwks FILE"),
        "{refused}"
    );
}
