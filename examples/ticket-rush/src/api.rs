//! The sale's HTTP API, as buyers and the payment provider use it. Writes each answer to the client
//! log.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::client_log::ClientLog;
use crate::request_counts::RequestCounts;

/// The seats of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeatSelection {
    /// These seats.
    Seats(Vec<u32>),
    /// This number of adjacent seats.
    Best(u32),
}

/// A buyer with a token.
#[derive(Debug, Clone)]
pub struct Buyer {
    /// `sub` of the token.
    pub user: String,
    /// The token.
    pub token: String,
}

/// An answer. `http` is 0 if none arrived.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub http: u16,
    /// Body; null if it is not JSON.
    pub body: Value,
    /// Instance that answered; `None` if the gateway answered.
    pub instance: Option<String>,
    /// Retry-After, seconds.
    pub retry_after: Option<u64>,
    /// Time until the answer.
    pub took: Duration,
}

impl Answer {
    /// A string member of the body.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.body.get(field).and_then(Value::as_str)
    }

    /// Code of the problem.
    pub fn code(&self) -> Option<&str> {
        self.text("code")
    }

    /// Whether the status is 2xx.
    pub fn ok(&self) -> bool {
        (200..300).contains(&self.http)
    }

    /// The accepted order, if any.
    pub fn order(&self) -> Option<PlacedOrder> {
        if !self.ok() {
            return None;
        }
        PlacedOrder::deserialize(&self.body).ok()
    }
}

/// An accepted order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PlacedOrder {
    /// Order number.
    pub order: String,
    /// accepted, unpaid, paid, ...
    pub status: String,
    /// Seats.
    #[serde(default)]
    pub seats: Vec<u32>,
    /// Price of all seats.
    #[serde(default)]
    pub amount_cents: i64,
}

/// A client of the API.
#[derive(Debug, Clone)]
pub struct ApiClient {
    client: Client,
    base: String,
    secret: String,
    client_log: ClientLog,
    sent: RequestCounts,
}

impl ApiClient {
    /// `base` like `http://127.0.0.1:18080`; `secret` is the one shared with the payment provider.
    pub fn new(base: &str, secret: &str, client_log: ClientLog) -> Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(35))
            .build()
            .context("cannot create an HTTP client")?;
        Ok(Self {
            client,
            base: base.to_owned(),
            secret: secret.to_owned(),
            client_log,
            sent: RequestCounts::default(),
        })
    }

    /// Requests sent through this client and its clones.
    pub fn request_counts(&self) -> &RequestCounts {
        &self.sent
    }

    /// Sends a request. `route` is its name in the API statistics.
    async fn send(&self, route: &str, request: RequestBuilder) -> Answer {
        let began = Instant::now();
        let Ok(response) = request.send().await else {
            self.sent.add(route, 0, false);
            return Answer {
                http: 0,
                body: Value::Null,
                instance: None,
                retry_after: None,
                took: began.elapsed(),
            };
        };
        let http = response.status().as_u16();
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|v| v.to_str().ok())
                .map(str::to_owned)
        };
        let instance = header("x-instance-id");
        let retry_after = header("retry-after").and_then(|v| v.parse().ok());
        self.sent.add(route, http, instance.is_some());
        let body = response
            .bytes()
            .await
            .ok()
            .and_then(|b| serde_json::from_slice(&b).ok())
            .unwrap_or(Value::Null);
        Answer {
            http,
            body,
            instance,
            retry_after,
            took: began.elapsed(),
        }
    }

    /// Creates a program; needs a token with the scope `programs:write`.
    pub async fn create_program(&self, seller: &Buyer, program: &Value) -> Answer {
        let request = self
            .client
            .post(format!("{}/programs", self.base))
            .bearer_auth(&seller.token)
            .json(program);
        let answer = self.send("POST /programs", request).await;
        if let Some(id) = answer.text("id") {
            self.client_log.write("sale", json!({ "program": id }));
        }
        answer
    }

    /// Gets a program with its free seats.
    pub async fn program(&self, id: &str) -> Answer {
        self.send(
            "GET /programs/{id}",
            self.client.get(format!("{}/programs/{id}", self.base)),
        )
        .await
    }

    /// Changes a program; needs a token with the scope `programs:write`.
    pub async fn update_program(&self, seller: &Buyer, id: &str, change: &Value) -> Answer {
        let request = self
            .client
            .patch(format!("{}/programs/{id}", self.base))
            .bearer_auth(&seller.token)
            .json(change);
        self.send("PATCH /programs/{id}", request).await
    }

    /// Gets sums of API calls; needs a token with the scope `api-calls:read`. Example of `query`:
    /// `by=route,status`.
    pub async fn statistics(&self, operator: &Buyer, query: &str) -> Answer {
        let request = self
            .client
            .get(format!("{}/api-calls/statistics?{query}", self.base))
            .bearer_auth(&operator.token);
        self.send("GET /api-calls/statistics", request).await
    }

    /// Gets the seat map of a category.
    pub async fn seats(&self, id: &str, category: u32) -> Answer {
        let request = self.client.get(format!(
            "{}/programs/{id}/seats?category={category}",
            self.base
        ));
        self.send("GET /programs/{id}/seats", request).await
    }

    /// Orders seats and waits up to `wait` seconds until the order is stored.
    pub async fn order(
        &self,
        buyer: &Buyer,
        program: &str,
        category: u32,
        selection: &SeatSelection,
        key: Option<&str>,
        wait: u32,
    ) -> Answer {
        let body = match selection {
            SeatSelection::Seats(seats) => json!({ "category": category, "seats": seats }),
            SeatSelection::Best(count) => json!({ "category": category, "count": count }),
        };
        let mut request = self.client.post(format!(
            "{}/programs/{program}/orders?wait={wait}",
            self.base
        ));
        request = request.bearer_auth(&buyer.token).json(&body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = self.send("POST /programs/{id}/orders", request).await;
        let order = answer.order();
        let mut line = json!({
            "user": buyer.user, "program": program, "key": key, "http": answer.http,
            "code": answer.code(), "took_ms": answer.took.as_millis() as u64,
        });
        if let Some(order) = &order {
            line["order"] = json!(order.order);
            line["status"] = json!(order.status);
            line["seats"] = json!(order.seats);
            line["amount_cents"] = json!(order.amount_cents);
        }
        self.client_log.write("order", line);
        answer
    }

    /// Gets one order of the buyer.
    pub async fn get_order(&self, buyer: &Buyer, order: &str) -> Answer {
        let request = self
            .client
            .get(format!("{}/orders/{order}", self.base))
            .bearer_auth(&buyer.token);
        let answer = self.send("GET /orders/{number}", request).await;
        let line = json!({
            "user": buyer.user, "order": order, "http": answer.http, "status": answer.text("status"),
        });
        self.client_log.write("seen", line);
        answer
    }

    /// Lists the buyer's latest orders.
    pub async fn list_orders(&self, buyer: &Buyer) -> Answer {
        let request = self
            .client
            .get(format!("{}/orders?limit=100", self.base))
            .bearer_auth(&buyer.token);
        self.send("GET /orders", request).await
    }

    /// Cancels an order.
    pub async fn cancel(&self, buyer: &Buyer, order: &str) -> Answer {
        let request = self
            .client
            .post(format!("{}/orders/{order}/cancel", self.base))
            .bearer_auth(&buyer.token);
        let answer = self.send("POST /orders/{number}/cancel", request).await;
        let line = json!({
            "user": buyer.user, "order": order, "http": answer.http, "status": answer.text("status"),
            "code": answer.code(),
        });
        self.client_log.write("cancel", line);
        answer
    }

    /// Notifies the sale of a payment, as the payment provider does.
    pub async fn pay(&self, order: &str, reference: &str, amount_cents: i64) -> Answer {
        let body = json!({ "reference": reference, "order": order, "amount_cents": amount_cents })
            .to_string();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_secs())
            .to_string();
        let request = self.client.post(format!("{}/payments", self.base));
        let request = request
            .header("Content-Type", "application/json")
            .header("X-Payment-Timestamp", &now);
        let request = request
            .header("X-Payment-Signature", sign(&self.secret, &now, &body))
            .body(body);
        let answer = self.send("POST /payments", request).await;
        let line = json!({
            "order": order, "reference": reference, "amount_cents": amount_cents,
            "http": answer.http, "result": answer.text("result"), "code": answer.code(),
        });
        self.client_log.write("pay", line);
        answer
    }
}

/// Signature of the payment provider: HMAC-SHA256 over timestamp, dot and body.
pub fn sign(secret: &str, timestamp: &str, body: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    format!("v1={}", hex::encode(mac.finalize().into_bytes()))
}
