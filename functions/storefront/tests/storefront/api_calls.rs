//! Administrators look at calls and their sums.

use serde_json::{Value, json};
use shared::api_calls::{ApiCall, Caps};
use shared::store::Arrival;
use storefront::App;
use storefront::http::Call;
use storefront::identity::Claims;

use crate::support::{Scripted, call, open_with, problem};

const CAPS: Caps = Caps {
    routes: 10,
    clients: 10,
};

/// A request of an operator.
fn ask(path: &str) -> Call {
    let mut call = call("GET", path, Some("operator"), None);
    call.claims = Claims::new(
        [("sub", "operator"), ("scope", "api-calls:read")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
    );
    call
}

async fn answer(app: &App, path: &str) -> Value {
    app.serve(&ask(path))
        .await
        .unwrap_or_else(|e| panic!("{path}: {e:?}"))
        .body
}

/// Plays the collector: ten calls, one a second from 18:00:00 on, every other one a failure.
async fn collected(app: &App) {
    let at_ms = 1_795_370_400_000_i64; // 2026-11-22T18:00:00Z
    let calls: Vec<String> = (0..10)
        .map(|n| {
            json!({
                "v": 1, "id": format!("{n:032x}"), "at_ms": at_ms + n * 1_000, "method": "GET",
                "route": "/orders/{number}",
                "url": format!("/orders/{n}?x=1"), "status": if n % 2 == 0 { 200 } else { 404 },
                "duration_us": 1_000 * (n + 1),
                "client": "curl", "user": "alice", "ip": "192.0.2.7", "instance": "i",
            })
            .to_string()
        })
        .collect();
    let arrivals: Vec<Arrival<ApiCall>> = calls
        .iter()
        .enumerate()
        .map(|(offset, text)| Arrival {
            topic: "calls",
            partition: 0,
            offset: offset as i64,
            appended_ms: None,
            key: None,
            value: Some(text.as_bytes()),
            message: Ok(serde_json::from_str(text).expect("a call")),
        })
        .collect();
    assert_eq!(app.store.collect_calls(&arrivals, CAPS).await.added, 10);
}

const PERIOD: &str = "from=2026-11-22T18:00:00Z&to=2026-11-22T18:01:00Z";

#[tokio::test]
async fn calls_are_found_by_what_is_asked_page_by_page() {
    let app = open_with(Scripted::new([])).await;
    collected(&app).await;
    let all = answer(&app, &format!("/api-calls?{PERIOD}")).await;
    assert_eq!(
        (all["calls"].as_array().map(Vec::len), &all["after"]),
        (Some(10), &Value::Null)
    );
    assert_eq!(
        all["calls"][0],
        json!({
            "id": "00000000000000000000000000000009", "at": "2026-11-22T18:00:09Z",
            "route": "GET /orders/{number}",
            "url": "/orders/9?x=1", "status": 404, "duration_us": 10_000, "client": "curl", "user": "alice", "ip": "192.0.2.7",
            "trace": null, "instance": "i",
        })
    );
    let mut urls = Vec::new();
    let mut after = String::new();
    loop {
        let page = answer(
            &app,
            &format!("/api-calls?{PERIOD}&status=4xx&limit=2{after}"),
        )
        .await;
        urls.extend(
            page["calls"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|call| call["url"].clone()),
        );
        let Some(next) = page["after"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    assert_eq!(
        urls,
        [
            "/orders/9?x=1",
            "/orders/7?x=1",
            "/orders/5?x=1",
            "/orders/3?x=1",
            "/orders/1?x=1"
        ]
    );
    // A page without the period of the first would be one of another hour.
    assert!(!after.is_empty());
    let without = app
        .serve(&ask(&format!("/api-calls?status=4xx&limit=2{after}")))
        .await;
    assert_eq!(problem(without), (400, "malformed_request"));
    for (condition, found) in [
        ("ip=192.0.2.7", 10),
        ("ip=192.0.2.8", 0),
        ("route=GET /orders/{number}", 10),
        ("route=GET /orders", 0),
        ("url=/orders/3*", 1),
        ("url=/orders/3", 0),
        ("status=200&user=alice", 5),
        ("user=bob", 0),
    ] {
        let page = answer(&app, &format!("/api-calls?{PERIOD}&{condition}")).await;
        assert_eq!(
            page["calls"].as_array().map(Vec::len),
            Some(found),
            "{condition}"
        );
    }
}

#[tokio::test]
async fn statistics_add_up_to_the_total_however_they_are_grouped() {
    let app = open_with(Scripted::new([])).await;
    collected(&app).await;
    let total = json!({"calls": 10, "mean_us": 5_500, "max_us": 10_000, "p50_us": 5_000,
    "p95_us": 10_000, "p99_us": 10_000});
    let sums = answer(&app, &format!("/api-calls/statistics?{PERIOD}")).await;
    assert_eq!((&sums["total"], sums.get("groups")), (&total, None));
    assert_eq!(
        (&sums["from"], &sums["to"]),
        (
            &json!("2026-11-22T18:00:00Z"),
            &json!("2026-11-22T18:01:00Z")
        )
    );
    let by = answer(
        &app,
        &format!("/api-calls/statistics?{PERIOD}&by=status,minute,route,client"),
    )
    .await;
    assert_eq!(by["total"], total);
    let groups: Vec<_> = by["groups"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|g| (g["status"].clone(), g["calls"].clone()))
        .collect();
    assert_eq!(groups, [(json!(200), json!(5)), (json!(404), json!(5))]);
    assert_eq!(by["groups"][0]["minute"], "2026-11-22T18:00:00Z");
    assert_eq!(by["groups"][0]["route"], "GET /orders/{number}");
    // Part of a minute is the whole of it.
    let part = answer(
        &app,
        "/api-calls/statistics?from=2026-11-22T18:00:07Z&to=2026-11-22T18:00:08Z&status=404",
    )
    .await;
    assert_eq!(
        (&part["total"]["calls"], &part["from"]),
        (&json!(5), &json!("2026-11-22T18:00:00Z"))
    );
    let none = answer(&app, "/api-calls/statistics").await;
    assert_eq!(none["total"]["calls"], 0);
}

#[tokio::test]
async fn only_operators_look_and_a_bad_question_is_told_what_is_wrong() {
    let app = open_with(Scripted::new([])).await;
    for path in ["/api-calls", "/api-calls/statistics"] {
        assert_eq!(
            problem(app.serve(&call("GET", path, None, None)).await),
            (401, "unauthorized")
        );
        assert_eq!(
            problem(app.serve(&call("GET", path, Some("promoter"), None)).await),
            (403, "forbidden")
        );
        for bad in [
            "from=soon",
            "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
            "from=2000-01-01T00:00:00Z",
            "status=abc",
            "route=",
        ] {
            let refused = app.serve(&ask(&format!("{path}?{bad}"))).await;
            assert_eq!(problem(refused), (400, "malformed_request"), "{path} {bad}");
        }
    }
    for bad in [
        "limit=0",
        "limit=1001",
        "after=0",
        "client=curl",
        "by=status",
        "ip=somewhere",
        "url=*",
    ] {
        assert_eq!(
            problem(app.serve(&ask(&format!("/api-calls?{bad}"))).await),
            (400, "malformed_request"),
            "{bad}"
        );
    }
    for bad in [
        "by=weather",
        "client=Chrome",
        "user=alice",
        "ip=192.0.2.7",
        "url=/orders",
        "limit=1",
        "after=x",
    ] {
        assert_eq!(
            problem(
                app.serve(&ask(&format!("/api-calls/statistics?{bad}")))
                    .await
            ),
            (400, "malformed_request"),
            "{bad}"
        );
    }
}
