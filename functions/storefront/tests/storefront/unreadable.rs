//! An unreadable value is refused and never treated as absent: every header, query parameter, path
//! segment, claim and body member that a route reads, in events as the gateway sends them.

use serde_json::{Value, json};
use storefront::App;
use storefront::http::HttpEvent;

use crate::support::{Scripted, free, open_with, program};

/// A request with a token that has every scope.
pub(crate) struct RawRequest<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: Value,
    pub(crate) claims: Value,
    pub(crate) body: Option<&'a str>,
}

impl<'a> RawRequest<'a> {
    pub(crate) fn new(method: &'a str, path: &'a str) -> Self {
        let scope =
            "programs:write parked:read parked:write api-calls:read payments:read payments:write";
        Self {
            method,
            path,
            query: "",
            headers: json!({}),
            claims: json!({"sub": "alice", "scope": scope}),
            body: None,
        }
    }

    pub(crate) fn request(&self) -> HttpEvent {
        let route = format!("{} {}", self.method, self.path);
        let event = json!({
            "version": "2.0", "routeKey": route, "rawPath": self.path, "rawQueryString": self.query,
            "headers": self.headers,
            "requestContext": {
                "accountId": "000000000000", "apiId": "api", "domainName": "app.example",
                "domainPrefix": "api",
                "http": {"method": self.method, "path": self.path, "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.7", "userAgent": "t"},
                "requestId": "r", "routeKey": route, "stage": "$default",
                "time": "22/Nov/2026:18:00:00 +0000", "timeEpoch": 1_795_370_400_000_i64,
                "authorizer": {"jwt": {"claims": self.claims, "scopes": null}},
            },
            "body": self.body, "isBase64Encoded": false,
        });
        serde_json::from_str(&event.to_string()).expect("an event of the gateway")
    }

    pub(crate) async fn status(&self, app: &App) -> u16 {
        app.answer(self.request()).await.status
    }
}

const ORDER: &str = r#"{"category":0,"count":1}"#;

#[tokio::test]
async fn an_unreadable_idempotency_key_creates_no_order() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let path = format!("/programs/{id}/orders");
    let with = |key: &str| RawRequest {
        headers: json!({"idempotency-key": key}),
        body: Some(ORDER),
        ..RawRequest::new("POST", &path)
    };
    for key in [
        "größe-1",
        "\u{1f39f}",
        "a b",
        " ",
        "",
        "a\tb",
        &"k".repeat(65),
        "\u{e4}",
        "\u{fffd}",
    ] {
        assert_eq!(with(key).status(&app).await, 400, "{key:?}");
    }
    let sent = publisher.sent.lock().expect("whole").len();
    assert_eq!((sent, free(&app, &id).await), (0, 10));
    assert_eq!(with("groesse-1").status(&app).await, 202);
}

#[tokio::test]
async fn an_unreadable_query_parameter_is_refused() {
    let app = open_with(Scripted::new([])).await;
    let seats = format!("/programs/{}/seats", program(&app).await);
    let orders = format!("/programs/{}/orders", program(&app).await);
    // Every parameter that a route reads, with a value that it takes.
    let routes = [
        ("GET", seats.as_str(), vec![("category", "0")]),
        ("POST", &orders, vec![("wait", "0")]),
        (
            "GET",
            "/orders",
            vec![("limit", "5"), ("before", "4611686018427387905")],
        ),
        (
            "GET",
            "/parked",
            vec![
                ("limit", "5"),
                ("topic", "a-topic"),
                ("state", "parked"),
                ("after", "AQAAAAAAAAAB"),
            ],
        ),
        (
            "GET",
            "/payments",
            vec![
                ("limit", "5"),
                ("state", "unmatched"),
                ("order", "4611686018427387905"),
                ("reference", "r"),
                ("after", "AgAAAAAAAAAB"),
            ],
        ),
        (
            "GET",
            "/api-calls",
            vec![
                ("from", "2026-11-24T18:00:00Z"),
                ("to", "2026-11-24T19:00:00Z"),
                ("ip", "192.0.2.7"),
                ("route", "GET%20/orders"),
                ("url", "/orders"),
                ("status", "404"),
                ("user", "alice"),
                ("limit", "5"),
            ],
        ),
        (
            "GET",
            "/api-calls/statistics",
            vec![
                ("from", "2026-11-24T18:00:00Z"),
                ("to", "2026-11-24T19:00:00Z"),
                ("route", "GET%20/orders"),
                ("status", "4xx"),
                ("client", "curl"),
                ("by", "route,status"),
            ],
        ),
    ];
    for (method, path, parameters) in routes {
        let good: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let ask = async |query: String| {
            let body = (method == "POST").then_some(ORDER);
            RawRequest {
                query: &query,
                body,
                ..RawRequest::new(method, path)
            }
            .status(&app)
            .await
        };
        let taken = ask(good.join("&")).await;
        assert!(
            matches!(taken, 200 | 202),
            "{path}?{}: {taken}",
            good.join("&")
        );
        for (at, (name, value)) in parameters.iter().enumerate() {
            for bad in [
                format!("{name}="),
                name.to_string(),
                format!("{name}=%FF"),
                format!("{name}=%E4{value}"),
                format!("{name}={value}&{name}={value}"),
            ] {
                let mut query = good.clone();
                query[at] = bad;
                let query = query.join("&");
                assert_eq!(ask(query.clone()).await, 400, "{path}?{query}");
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_parameter_is_refused() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let seats = format!("/programs/{id}/seats");
    let show = format!("/programs/{id}");
    let update = r#"{"version":1}"#;
    for (method, path, body, unknown) in [
        ("GET", "/api-calls", None, "stauts=404"),
        ("GET", "/api-calls", None, "client=curl"),
        ("GET", "/api-calls/statistics", None, "user=alice"),
        ("GET", "/api-calls/statistics", None, "Status=404"),
        ("GET", "/payments", None, "status=to_refund"),
        ("GET", "/orders", None, "after=1"),
        ("GET", "/orders/1", None, "wait=1"),
        ("GET", "/parked", None, "partition=1"),
        ("GET", "/parked/1", None, "topic=a"),
        ("GET", "/gaps", None, "topic=a"),
        ("GET", &seats, None, "row=1"),
        ("GET", &show, None, "=x"),
        ("PATCH", &show, Some(update), "version=1"),
        ("POST", "/programs", Some("{}"), "dry_run=1"),
        ("POST", "/orders/1/cancel", None, "wait=1"),
        ("POST", "/parked/1/replay", None, "replays=1"),
    ] {
        let status = RawRequest {
            query: unknown,
            body,
            ..RawRequest::new(method, path)
        }
        .status(&app)
        .await;
        assert_eq!(status, 400, "{method} {path}?{unknown}");
    }
    // The payment provider chooses the address of its notifications: an unsigned one is refused for
    // its signature only.
    let paid = RawRequest {
        query: "source=provider",
        body: Some("{}"),
        ..RawRequest::new("POST", "/payments")
    };
    assert_eq!(paid.status(&app).await, 401);
}

#[tokio::test]
async fn scopes_are_read_from_scp_as_from_scope() {
    let app = open_with(Scripted::new([])).await;
    for (claims, status) in [
        (json!({"sub": "alice", "scp": "a parked:read"}), 200),
        (json!({"sub": "alice", "scp": "[parked:read a]"}), 200),
        (json!({"sub": "alice", "scope": "[a parked:read]"}), 200),
        (json!({"sub": "alice", "scp": "[parked:write]"}), 403),
        (
            json!({"sub": "alice", "scope": "a", "scp": "parked:read"}),
            403,
        ),
        (json!({"sub": "null", "scp": "parked:read"}), 401),
    ] {
        let asked = RawRequest {
            claims: claims.clone(),
            ..RawRequest::new("GET", "/parked")
        };
        assert_eq!(asked.status(&app).await, status, "{claims}");
    }
}

#[tokio::test]
async fn a_malformed_path_segment_is_not_found() {
    let app = open_with(Scripted::new([])).await;
    for bad in [
        "x",
        "0",
        "01",
        "-1",
        "%FF",
        "1%00",
        "9223372036854775808",
        "größe",
    ] {
        for (method, path, body) in [
            ("GET", format!("/programs/{bad}"), None),
            ("GET", format!("/programs/{bad}/seats"), None),
            ("POST", format!("/programs/{bad}/stop"), None),
            ("POST", format!("/programs/{bad}/orders"), Some(ORDER)),
            ("GET", format!("/orders/{bad}"), None),
            ("POST", format!("/orders/{bad}/cancel"), None),
            ("GET", format!("/parked/{bad}"), None),
            ("POST", format!("/parked/{bad}/replay"), None),
            (
                "POST",
                format!("/parked/{bad}/discard"),
                Some(r#"{"why":"w"}"#),
            ),
            (
                "POST",
                format!("/payments/{bad}/refunded"),
                Some(r#"{"note":"n"}"#),
            ),
        ] {
            assert_eq!(
                RawRequest {
                    body,
                    ..RawRequest::new(method, &path)
                }
                .status(&app)
                .await,
                404,
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn an_unreadable_claim_is_no_claim() {
    let app = open_with(Scripted::new([])).await;
    for sub in ["", " ", "null", "[alice]", "a b", "größe", &"s".repeat(129)] {
        let asked = RawRequest {
            claims: json!({"sub": sub, "scope": "programs:write"}),
            ..RawRequest::new("GET", "/orders")
        };
        assert_eq!(asked.status(&app).await, 401, "{sub:?}");
    }
    for scope in [
        "",
        "parked:rea",
        "[parked:rea]",
        "[parked:read",
        "parked:read,parked:write",
        "PARKED:READ",
        "parked:read\u{a0}x",
    ] {
        let asked = RawRequest {
            claims: json!({"sub": "alice", "scope": scope}),
            ..RawRequest::new("GET", "/parked")
        };
        assert_eq!(asked.status(&app).await, 403, "{scope:?}");
    }
}
