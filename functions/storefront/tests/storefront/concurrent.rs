//! Requests that one process handles at the same time, as on Lambda Managed Instances.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use shared::message::{Barrier, OrderNumber, OrderRequested};
use storefront::App;
use storefront::http::{HttpEvent, HttpResponse};
use storefront::kafka::{BrokerError, LogRanges, PublishOrders, Published};
use testkit::until;
use tokio::sync::Barrier as Rendezvous;
use tokio::task::JoinSet;

use crate::support::{Scripted, call, open_with, program, two};

/// Requests at the same time. Each takes a seat of a program of ten.
const BUYERS: usize = 5;
/// The buyer whose order panics.
const PANICKING: &str = "buyer-0";

/// During the rush it publishes only once all orders are there, so that their requests overlap.
struct Overlapping {
    records: Arc<Scripted>,
    all: Rendezvous,
    rush: AtomicBool,
    /// Whether it panics for [`PANICKING`] during the rush.
    panics: bool,
}

impl Overlapping {
    fn new(panics: bool) -> Arc<Self> {
        Arc::new(Self {
            records: Scripted::new([]),
            all: Rendezvous::new(BUYERS),
            rush: AtomicBool::new(true),
            panics,
        })
    }
}

#[async_trait::async_trait]
impl PublishOrders for Overlapping {
    async fn ready(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn publish(&self, order: OrderNumber, message: &str) -> Published {
        if self.rush.load(Ordering::SeqCst) {
            self.all.wait().await;
            let panics = self.panics && message.contains(PANICKING);
            assert!(!panics, "the publisher panics on purpose");
        }
        self.records.publish(order, message).await
    }

    async fn put_back(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Published {
        self.records.put_back(topic, key, value).await
    }

    async fn append_barrier(&self, partition: i32, barrier: &Barrier) -> Published {
        self.records.append_barrier(partition, barrier).await
    }

    async fn logs(&self) -> Result<LogRanges, BrokerError> {
        self.records.logs().await
    }
}

/// The trace id of a buyer's request.
fn trace(n: usize) -> String {
    format!("4bf92f3577b34da6a3ce929d0e0e47{n:02}")
}

/// The order of one seat by a buyer, as the gateway sends it.
fn order(program: &str, n: usize) -> HttpEvent {
    let path = format!("/programs/{program}/orders");
    let buyer = json!({"jwt": {"claims": {"sub": format!("buyer-{n}")}, "scopes": null}});
    let event = json!({
        "version": "2.0", "routeKey": "POST /programs/{id}/orders", "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "host": "app.example", "idempotency-key": format!("key-{n}"),
            "traceparent": format!("00-{}-00f067aa0ba902b7-01", trace(n)),
        },
        "requestContext": {
            "accountId": "000000000000", "apiId": "api", "domainName": "app.example",
            "domainPrefix": "api",
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1",
                     "sourceIp": format!("192.0.2.{n}"), "userAgent": "TicketApp/3.2"},
            "requestId": format!("r-{n}"), "routeKey": "POST /programs/{id}/orders",
            "stage": "$default", "time": "22/Nov/2026:18:00:00 +0000",
            "timeEpoch": 1_795_370_400_000_i64, "authorizer": buyer,
        },
        "body": json!({"category": 0, "count": 1}).to_string(), "isBase64Encoded": false,
    });
    serde_json::from_str(&event.to_string()).expect("an event of the gateway")
}

/// The status of a response, and its body.
fn read(response: &HttpResponse) -> (u16, Value) {
    let body = serde_json::from_str(&response.body).expect("JSON");
    (response.status, body)
}

/// The orders of all buyers at the same time. `None` for a request that panicked.
async fn rush(app: &Arc<App>, program: &str) -> HashMap<usize, Option<(u16, Value)>> {
    let mut requests = JoinSet::new();
    let mut buyers = HashMap::new();
    for n in 0..BUYERS {
        let (app, request) = (app.clone(), order(program, n));
        let task = requests.spawn(async move { read(&app.answer(request).await) });
        buyers.insert(task.id(), n);
    }
    let mut responses = HashMap::new();
    while let Some(ended) = requests.join_next_with_id().await {
        match ended {
            Ok((id, response)) => responses.insert(buyers[&id], Some(response)),
            Err(error) => {
                assert!(error.is_panic(), "{error}");
                responses.insert(buyers[&error.id()], None)
            }
        };
    }
    responses
}

/// The published messages by buyer.
fn messages(publisher: &Overlapping) -> HashMap<String, OrderRequested> {
    let sent = publisher.records.sent.lock().expect("whole").clone();
    let messages = sent.iter().map(|text| {
        let message: OrderRequested = serde_json::from_str(text).expect("a valid message");
        (message.user.to_string(), message)
    });
    messages.collect()
}

#[tokio::test]
async fn concurrent_requests_mix_no_data() {
    let publisher = Overlapping::new(false);
    let app = Arc::new(open_with(publisher.clone()).await);
    let id = program(&app).await;
    let responses = rush(&app, &id).await;
    let messages = messages(&publisher);
    let mut seats = BTreeSet::new();
    for (n, response) in responses {
        let (status, body) = response.expect("no panic");
        assert_eq!(status, 202, "{body}");
        let message = &messages[&format!("buyer-{n}")];
        assert_eq!(body["order"], json!(message.order.to_string()));
        assert_eq!(body["seats"], json!(message.seats));
        let key = message.idempotency_key.as_ref().map(ToString::to_string);
        assert_eq!(key, Some(format!("key-{n}")));
        let traceparent = message.trace.as_deref().expect("a traceparent");
        assert!(traceparent.contains(&trace(n)), "{traceparent} of {n}");
        seats.extend(message.seats.iter().map(|seat| seat.get()));
        // Another buyer's order is not shown.
        let path = format!("/orders/{}", message.order);
        let other = format!("buyer-{}", (n + 1) % BUYERS);
        let shown = app.serve(&call("GET", &path, Some(&other), None)).await;
        assert_eq!(shown.expect_err("of another buyer").status, 404);
    }
    assert_eq!(seats.len(), BUYERS);
}

#[tokio::test]
async fn a_request_that_waits_delays_no_other() {
    let publisher = Scripted::new([None]); // the first publish never ends
    let app = Arc::new(open_with(publisher.clone()).await);
    let id = program(&app).await;
    let (slow, first, second) = (app.clone(), two(&id, "slow"), two(&id, "fast"));
    let mut slow = tokio::spawn(async move { slow.serve(&first).await });
    until("the first order is being published", async || {
        !publisher.sent.lock().expect("whole").is_empty()
    })
    .await;
    tokio::select! {
        biased;
        ended = &mut slow => panic!("the first request ended: {ended:?}"),
        fast = app.serve(&second) => assert_eq!(fast.expect("accepted").status, 202),
    }
    slow.abort();
}

#[tokio::test]
async fn a_request_that_panics_ends_no_other() {
    let publisher = Overlapping::new(true);
    let app = Arc::new(open_with(publisher.clone()).await);
    let id = program(&app).await;
    let mut responses = rush(&app, &id).await;
    assert_eq!(responses.remove(&0), Some(None), "its request panics");
    for (n, response) in responses {
        let (status, body) = response.unwrap_or_else(|| panic!("buyer {n} has no response"));
        assert_eq!(status, 202, "{body}");
    }
    assert_eq!(messages(&publisher).len(), BUYERS - 1);
    // Its reservation is kept, so the same key publishes the same order.
    publisher.rush.store(false, Ordering::SeqCst);
    let (status, body) = read(&app.answer(order(&id, 0)).await);
    assert_eq!(status, 202, "{body}");
    let published = &messages(&publisher)[PANICKING];
    assert_eq!(body["order"], json!(published.order.to_string()));
}
