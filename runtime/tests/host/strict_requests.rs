//! Ambiguous requests are refused: several hosts, tokens that parsers read differently, conditions
//! that are not applied.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use reqwest::{Client, Method, StatusCode};
use sam_template::model::{Api, ApiKind, RestApi, Throttle};
use serde_json::{Value, json};

use crate::http_fixture::{
    KNOWN, Server, api, claims, get, guarded, key_store, message, route, serve_with,
};
use crate::operations_fixture::Application;

/// Sends these bytes and reads until the server closes.
fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}

fn address(server: &Server) -> SocketAddr {
    server.url.strip_prefix("http://").unwrap().parse().unwrap()
}

/// Heads without exactly one readable host.
const UNCLEAR: [&str; 7] = [
    "GET / HTTP/1.1\r\n",
    "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n",
    "GET / HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n",
    "GET / HTTP/1.0\r\nHost: localhost\r\nHost: evil.example\r\n",
    "GET / HTTP/1.1\r\nHost: localhost, evil.example\r\n",
    "GET / HTTP/1.1\r\nHost:\r\n",
    "GET http://localhost/ HTTP/1.1\r\n",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_refuses_requests_without_one_host() {
    let server = serve_with(api(vec![route("GET /", "Echo")]), None).await;
    for head in UNCLEAR {
        let answer = raw(
            address(&server),
            &format!("{head}\r\nGET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        );
        assert_eq!(status(&answer), "400", "{head:?}");
        assert_eq!(
            answer.matches("\r\n\r\n").count(),
            1,
            "the connection ends with the refusal: {answer}"
        );
    }
    let answer = raw(
        address(&server),
        "GET http://shop.example:80/?a=b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    let event: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let event = &event["event"];
    assert_eq!(
        (&event["rawPath"], &event["rawQueryString"]),
        (&json!("/"), &json!("a=b"))
    );
    assert_eq!(event["requestContext"]["domainName"], "shop.example");
    assert_eq!(event["headers"]["host"], "shop.example:80");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_control_port_refuses_ambiguous_requests() {
    let mut application = Application::new();
    application.up().await;
    for head in UNCLEAR {
        assert_eq!(
            status(&raw(application.control, &format!("{head}\r\n"))),
            "400",
            "{head:?}"
        );
    }
    let foreign = "GET http://evil.example/_usher/token HTTP/1.1\r\nHost: localhost\r\n\
                   Connection: close\r\n\r\n";
    assert_eq!(status(&raw(application.control, foreign)), "403");

    let client = Client::new();
    let ask = async |method: Method, path: &str| {
        client
            .request(method, application.url(path))
            .send()
            .await
            .unwrap()
    };
    for path in [
        "/health",
        "/health/live",
        "/metrics",
        "/_usher/",
        "/_usher/status",
        "/_usher/settings",
    ] {
        let shown = ask(Method::GET, path).await;
        let head = ask(Method::HEAD, path).await;
        assert_eq!(
            (shown.status(), head.status()),
            (StatusCode::OK, StatusCode::OK),
            "{path}"
        );
        assert_eq!(
            shown.headers()["content-type"],
            head.headers()["content-type"],
            "{path}"
        );
        assert!(head.headers().contains_key("content-length"), "{path}");
        assert!(head.bytes().await.unwrap().is_empty(), "{path}");
    }
    for (path, allowed) in [
        ("/health", "GET, HEAD, OPTIONS"),
        ("/_usher/settings", "GET, HEAD, OPTIONS, POST"),
    ] {
        for (method, status) in [
            (Method::DELETE, 405),
            (Method::PUT, 405),
            (Method::OPTIONS, 204),
        ] {
            let answer = ask(method.clone(), path).await;
            assert_eq!(
                (answer.status().as_u16(), &answer.headers()["allow"]),
                (status, &allowed.parse().unwrap()),
                "{method} {path}"
            );
        }
    }
    let answer = ask(Method::GET, "/_usher/offsets").await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["allow"]),
        (405, &"OPTIONS, POST".parse().unwrap())
    );
    assert_eq!(
        ask(Method::POST, "/health").await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(
        ask(Method::POST, "/nowhere").await.status(),
        StatusCode::NOT_FOUND
    );

    for path in [
        "/_usher/status?function=Echo",
        "/metrics?name=x",
        "/health?source=Jobs",
        "/_usher/activity?limit=1",
    ] {
        let answer = ask(Method::GET, path).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
        let said = answer.json::<Value>().await.unwrap()["message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(said.contains("takes no query parameters"), "{said}");
    }
}

#[tokio::test]
async fn a_route_takes_no_more_than_its_limit() {
    let limit = |burst| Throttle {
        rate_milli: 1,
        burst,
    };
    let mut api = api(vec![
        route("GET /few", "Echo"),
        route("GET /none", "Echo"),
        route("$default", "Echo"),
    ]);
    api.throttling.default = Some(limit(3));
    api.throttling.routes.insert("GET /none".into(), limit(0));
    let mut rest = Api {
        kind: ApiKind::Rest(RestApi::default()),
        stage: "Prod".into(),
        ..api.clone()
    };
    rest.routes.truncate(2);
    for api in [api, rest] {
        let rest = matches!(api.kind, ApiKind::Rest(_));
        let server = serve_with(api, None).await;
        let ask = async |path: &str| get(&server, path, None).await;
        for _ in 0..3 {
            assert_ne!(ask("/few").await.status(), 429);
        }
        for path in ["/few", "/none"] {
            let refused = ask(path).await;
            assert_eq!(refused.headers().contains_key("x-amzn-errortype"), rest);
            assert_eq!(
                message(refused).await,
                (
                    StatusCode::TOO_MANY_REQUESTS,
                    json!({"message": "Too Many Requests"})
                ),
                "{path}"
            );
        }
        if !rest {
            assert_eq!(
                ask("/other").await.status(),
                StatusCode::OK,
                "each route has a bucket of its own"
            );
        }
    }
}

/// A token with this header and these claims as they are written, signed by the known key.
fn signed(header: &str, claims: &str) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let key = EncodingKey::from_rsa_pem(KNOWN.as_bytes()).unwrap();
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::RS256).unwrap();
    format!("{message}.{signature}")
}

#[tokio::test]
async fn a_token_with_two_readings_stays_out() {
    let server = serve_with(guarded(), Some(key_store().await)).await;
    let header = r#"{"alg":"RS256","kid":"k1"}"#;
    let good = claims(&json!({})).to_string();
    let answer = async |token: &str| get(&server, "/mine", Some(token)).await.status();
    assert_eq!(answer(&signed(header, &good)).await, StatusCode::OK);
    for header in [
        r#"{"alg":"RS256","kid":"k1","crit":["http://example.com/unknown"],"http://example.com/unknown":true}"#,
        r#"{"alg":"RS256","kid":"k1","crit":["exp"],"exp":1}"#,
        r#"{"alg":"RS256","kid":"k1","crit":["b64"],"b64":true}"#,
        r#"{"alg":"RS256","kid":"k1","crit":[]}"#,
        r#"{"alg":"RS256","kid":"k1","crit":null}"#,
        r#"{"alg":"RS256","kid":"k1","kid":"k1"}"#,
        r#"{"alg":"RS256","kid":["k1"]}"#,
        r#"{"alg":"RS256","kid":7}"#,
        r#"{"alg":"RS256","kid":"k1","typ":7}"#,
        r#"{"alg":"RS256"}"#,
    ] {
        assert_eq!(
            answer(&signed(header, &good)).await,
            StatusCode::UNAUTHORIZED,
            "{header}"
        );
    }
    for change in [
        json!({"sub": null}),
        json!({"sub": 7}),
        json!({"sub": {"name": "alice"}}),
        json!({"sub": ""}),
        json!({"aud": ["app", 7]}),
        json!({"exp": "4000000000"}),
        json!({"exp": -1}),
        json!({"exp": null}),
        json!({"nbf": null}),
        json!({"scp": {"a": 1}}),
    ] {
        assert_eq!(
            answer(&signed(header, &claims(&change).to_string())).await,
            StatusCode::UNAUTHORIZED,
            "{change}"
        );
    }
    let twice = good.replacen('{', r#"{"sub":"mallory","#, 1);
    assert_eq!(
        answer(&signed(header, &twice)).await,
        StatusCode::UNAUTHORIZED,
        "{twice}"
    );
    let huge = good.replace("4000000000", "1e999");
    assert_eq!(
        answer(&signed(header, &huge)).await,
        StatusCode::UNAUTHORIZED,
        "{huge}"
    );
    for fits in [
        json!({"exp": 4_000_000_000.5}),
        json!({"aud": ["other", "app"]}),
    ] {
        assert_eq!(
            answer(&signed(header, &claims(&fits).to_string())).await,
            StatusCode::OK,
            "{fits}"
        );
    }
    let token = signed(header, &good);
    let two = Client::new()
        .get(format!("{}/mine", server.url))
        .header("authorization", &token)
        .header("authorization", &token);
    assert_eq!(two.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn scopes_of_either_claim_open_a_route() {
    let server = serve_with(guarded(), Some(key_store().await)).await;
    let header = r#"{"alg":"RS256","kid":"k1"}"#;
    for (scopes, expected) in [
        (json!({"scope": "read write"}), 200),
        (json!({"scp": ["read", "write"]}), 200),
        (json!({"scp": "read write"}), 200),
        (json!({"scp": ["read"]}), 403),
        (json!({"scope": "read", "scp": ["write"]}), 403),
    ] {
        let token = signed(header, &claims(&scopes).to_string());
        assert_eq!(
            get(&server, "/write", Some(&token)).await.status().as_u16(),
            expected,
            "{scopes}"
        );
    }
}
