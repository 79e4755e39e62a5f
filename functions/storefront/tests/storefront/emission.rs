//! Every request leaves a call behind, and none waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use shared::api_calls::ApiCall;
use shared::message::UserId;
use storefront::App;
use storefront::emission::DeliveryCounts;
use storefront::http::HttpEvent;

use crate::support::{Scripted, free, open_with_settings, program, settings, two};
use crate::topics::create_topic;

/// A request as the gateway sends it.
fn request(
    method: &str,
    path: &str,
    query: &str,
    sub: Option<&str>,
    body: Option<&Value>,
) -> HttpEvent {
    let authorizer = sub.map(|sub| json!({"jwt": {"claims": {"sub": sub}, "scopes": null}}));
    let event = json!({
        "version": "2.0", "routeKey": format!("{method} {path}"), "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "app.example", "user-agent": "forged/1", "x-forwarded-for": "198.51.100.1",
                    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
        "requestContext": {
            "accountId": "000000000000", "apiId": "api", "domainName": "app.example",
            "domainPrefix": "api",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1",
            "sourceIp": "::ffff:192.0.2.7", "userAgent": "TicketApp/3.2"},
            "requestId": "r", "routeKey": format!("{method} {path}"), "stage": "$default", "time": "22/Nov/2026:18:00:00 +0000",
            "timeEpoch": 1_795_370_400_000_i64, "authorizer": authorizer,
        },
        "body": body.map(ToString::to_string), "isBase64Encoded": false,
    });
    serde_json::from_str(&event.to_string()).expect("an event of the gateway")
}

/// The calls in the topic, once there are so many.
fn calls(app: &App, wanted: usize) -> Vec<ApiCall> {
    let topic = &app.settings.calls.topic;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &app.settings.brokers)
        .set("group.id", "nobody")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let mut partitions = TopicPartitionList::new();
    for partition in 0..2 {
        partitions
            .add_partition_offset(topic, partition, Offset::Beginning)
            .expect("an offset");
    }
    consumer.assign(&partitions).expect("assigned");
    let mut calls = Vec::new();
    for _ in 0..300 {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let message = message.expect("Kafka runs");
            calls.push(
                serde_json::from_slice(message.payload().expect("a value")).expect("a valid call"),
            );
        }
        if calls.len() >= wanted {
            break;
        }
    }
    calls
}

#[tokio::test]
async fn every_request_leaves_one_call_whatever_its_answer() {
    let settings = settings(&[
        ("API_CALLS_ENABLED", "true"),
        ("API_CALL_FLUSH_MS", "5000"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "log/7"),
    ]);
    create_topic(&settings.brokers, &settings.calls.topic).await;
    let app = open_with_settings(settings, Scripted::new([])).await;
    let id = program(&app).await; // past the gateway: no call
    let order = json!({"category": 0, "count": 2});
    let path = format!("/programs/{id}/orders");
    for (request, status) in [
        (
            request("GET", &format!("/programs/{id}"), "", None, None),
            200,
        ),
        (
            request("POST", &path, "wait=0", Some("alice"), Some(&order)),
            202,
        ),
        (request("POST", &path, "", None, Some(&order)), 401),
        (request("GET", "/orders/17", "", Some("alice"), None), 404),
        (request("GET", "/nowhere/x%20y", "", None, None), 404),
        (request("BREW", "/orders", "", Some("alice"), None), 405),
    ] {
        assert_eq!(app.answer(request).await.status, status);
    }
    let calls = calls(&app, 6);
    let seen: BTreeMap<(String, u16), &ApiCall> = calls
        .iter()
        .map(|call| ((call.route_key(), call.status), call))
        .collect();
    let keys: Vec<(&str, u16)> = seen
        .keys()
        .map(|(route, status)| (route.as_str(), *status))
        .collect();
    assert_eq!(
        keys,
        [
            ("BREW /*", 405),
            ("GET /*", 404),
            ("GET /orders/{number}", 404),
            ("GET /programs/{id}", 200),
            ("POST /programs/{id}/orders", 202),
            ("POST /programs/{id}/orders", 401),
        ]
    );
    let accepted = seen[&("POST /programs/{id}/orders".to_owned(), 202)];
    assert_eq!(accepted.url.as_str(), format!("{path}?wait=0"));
    assert_eq!(
        accepted.ip.map(|ip| ip.to_string()).as_deref(),
        Some("192.0.2.7"),
        "what the gateway saw"
    );
    assert_eq!(accepted.client.as_str(), "ticketapp");
    assert_eq!(accepted.user.as_ref().map(UserId::as_str), Some("alice"));
    assert_eq!(
        accepted.trace.map(|trace| trace.to_string()).as_deref(),
        Some("4bf92f3577b34da6a3ce929d0e0e4736")
    );
    assert_eq!(accepted.instance.as_str(), "log/7");
    assert!(accepted.duration_us > 0);
    let ids: BTreeSet<String> = calls.iter().map(|call| call.id.to_string()).collect();
    assert_eq!(ids.len(), 6);
}

#[tokio::test]
async fn a_process_of_several_requests_sends_gathered_calls() {
    let settings = settings(&[
        ("API_CALLS_ENABLED", "true"),
        ("API_CALL_FLUSH_MS", "5000"),
        ("AWS_LAMBDA_MAX_CONCURRENCY", "8"),
    ]);
    assert!(settings.calls.flush.is_zero(), "no answer waits");
    create_topic(&settings.brokers, &settings.calls.topic).await;
    let app = open_with_settings(settings, Scripted::new([])).await;
    for number in 0..3 {
        let path = format!("/nowhere/{number}");
        let answer = app.answer(request("GET", &path, "", None, None)).await;
        assert_eq!(answer.status, 404);
    }
    let urls: BTreeSet<String> = calls(&app, 3)
        .iter()
        .map(|call| call.url.as_str().to_owned())
        .collect();
    let sent = (0..3).map(|number| format!("/nowhere/{number}"));
    assert_eq!(urls, sent.collect());
}

#[tokio::test]
async fn without_brokers_calls_are_dropped_and_orders_go_on() {
    // The queue is full after two calls; the broker of calls is not there, that of orders is sound.
    let settings = settings(&[
        ("API_CALLS_ENABLED", "true"),
        ("API_CALL_QUEUE", "2"),
        ("API_CALL_FLUSH_MS", "1"),
        ("KAFKA_BROKERS", "127.0.0.1:9"),
    ]);
    let publisher = Scripted::new([]);
    let app = open_with_settings(settings, publisher.clone()).await;
    let id = program(&app).await;
    for buyer in ["alice", "bob", "carol", "dave"] {
        let order = request(
            "POST",
            &format!("/programs/{id}/orders"),
            "",
            Some(buyer),
            Some(&json!({"category": 0, "count": 2})),
        );
        assert_eq!(app.answer(order).await.status, 202);
    }
    assert_eq!(free(&app, &id).await, 2);
    assert_eq!(publisher.sent.lock().expect("whole").len(), 4);
    let emitter = app.emitter.as_ref().expect("switched on");
    assert_eq!(
        (emitter.counts(), emitter.outstanding()),
        (
            DeliveryCounts {
                delivered: 0,
                dropped: 2
            },
            2
        ),
        "two wait, two are counted"
    );
}

#[tokio::test]
async fn switched_off_nothing_is_sent_and_everything_else_is_as_before() {
    let app = open_with_settings(
        settings(&[("API_CALLS_ENABLED", "false")]),
        Scripted::new([]),
    )
    .await;
    assert!(app.emitter.is_none());
    let id = program(&app).await;
    assert_eq!(
        app.serve(&two(&id, "alice"))
            .await
            .expect("accepted")
            .status,
        202
    );
}
