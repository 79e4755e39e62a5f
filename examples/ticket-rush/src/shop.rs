//! The sale's HTTP API as buyers and the payment provider use it. Every answer goes into the client log.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::journal::Journal;
use crate::sent::Sent;

/// What a buyer wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// These seats.
    Seats(Vec<u32>),
    /// So many, best and adjacent.
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

/// An answer; `http` 0 where none came.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub http: u16,
    /// Body, null where it is no JSON.
    pub body: Value,
    /// The instance that answered, where the function itself did.
    pub instance: Option<String>,
    /// Seconds of Retry-After.
    pub retry_after: Option<u64>,
    /// How long it took.
    pub took: Duration,
}

impl Answer {
    /// A text field of the body.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.body.get(field).and_then(Value::as_str)
    }

    /// The problem's code.
    pub fn code(&self) -> Option<&str> {
        self.text("code")
    }

    /// 2xx.
    pub fn ok(&self) -> bool {
        (200..300).contains(&self.http)
    }

    /// The order, where one was accepted.
    pub fn order(&self) -> Option<Placed> {
        if !self.ok() {
            return None;
        }
        Placed::deserialize(&self.body).ok()
    }
}

/// An accepted order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Placed {
    /// Number.
    pub order: String,
    /// accepted, unpaid, paid, ...
    pub status: String,
    /// Seats.
    #[serde(default)]
    pub seats: Vec<u32>,
    /// Price.
    #[serde(default)]
    pub amount_cents: i64,
}

/// The API of one sale.
#[derive(Debug, Clone)]
pub struct Shop {
    client: Client,
    base: String,
    secret: String,
    journal: Journal,
    sent: Sent,
}

impl Shop {
    /// `base` like `http://127.0.0.1:18080`; `secret` is the one shared with the payment provider.
    pub fn new(base: &str, secret: &str, journal: Journal) -> Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(35))
            .build()
            .context("no HTTP client")?;
        Ok(Self {
            client,
            base: base.to_owned(),
            secret: secret.to_owned(),
            journal,
            sent: Sent::default(),
        })
    }

    /// What was sent through this shop and its clones.
    pub fn sent(&self) -> &Sent {
        &self.sent
    }

    /// `route` is the request's, as the API names it.
    async fn send(&self, route: &str, request: RequestBuilder) -> Answer {
        let began = Instant::now();
        let Ok(response) = request.send().await else {
            self.sent.answered(route, 0, false);
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
        self.sent.answered(route, http, instance.is_some());
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

    /// Opens a program; needs a token with the scope `programs:write`.
    pub async fn open(&self, seller: &Buyer, program: &Value) -> Answer {
        let request = self
            .client
            .post(format!("{}/programs", self.base))
            .bearer_auth(&seller.token)
            .json(program);
        let answer = self.send("POST /programs", request).await;
        if let Some(id) = answer.text("id") {
            self.journal.write("sale", json!({ "program": id }));
        }
        answer
    }

    /// A program with what is free.
    pub async fn program(&self, id: &str) -> Answer {
        self.send(
            "GET /programs/{id}",
            self.client.get(format!("{}/programs/{id}", self.base)),
        )
        .await
    }

    /// Changes a program; needs a token with the scope `programs:write`.
    pub async fn change(&self, seller: &Buyer, id: &str, change: &Value) -> Answer {
        let request = self
            .client
            .patch(format!("{}/programs/{id}", self.base))
            .bearer_auth(&seller.token)
            .json(change);
        self.send("PATCH /programs/{id}", request).await
    }

    /// Sums of the API's calls; needs a token with the scope `api-calls:read`. `query` as in `by=route,status`.
    pub async fn statistics(&self, operator: &Buyer, query: &str) -> Answer {
        let request = self
            .client
            .get(format!("{}/api-calls/statistics?{query}", self.base))
            .bearer_auth(&operator.token);
        self.send("GET /api-calls/statistics", request).await
    }

    /// The seat map of a category.
    pub async fn seats(&self, id: &str, category: u32) -> Answer {
        let request = self.client.get(format!(
            "{}/programs/{id}/seats?category={category}",
            self.base
        ));
        self.send("GET /programs/{id}/seats", request).await
    }

    /// Orders seats, waiting up to `wait` seconds for them to be stored.
    pub async fn order(
        &self,
        buyer: &Buyer,
        program: &str,
        category: u32,
        want: &Want,
        key: Option<&str>,
        wait: u32,
    ) -> Answer {
        let body = match want {
            Want::Seats(seats) => json!({ "category": category, "seats": seats }),
            Want::Best(count) => json!({ "category": category, "count": count }),
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
            "user": buyer.user, "program": program, "key": key, "http": answer.http, "code": answer.code(),
            "took_ms": answer.took.as_millis() as u64,
        });
        if let Some(order) = &order {
            line["order"] = json!(order.order);
            line["status"] = json!(order.status);
            line["seats"] = json!(order.seats);
            line["amount_cents"] = json!(order.amount_cents);
        }
        self.journal.write("order", line);
        answer
    }

    /// One order of the buyer's.
    pub async fn look(&self, buyer: &Buyer, order: &str) -> Answer {
        let request = self
            .client
            .get(format!("{}/orders/{order}", self.base))
            .bearer_auth(&buyer.token);
        let answer = self.send("GET /orders/{number}", request).await;
        let line = json!({ "user": buyer.user, "order": order, "http": answer.http, "status": answer.text("status") });
        self.journal.write("seen", line);
        answer
    }

    /// The buyer's latest orders.
    pub async fn mine(&self, buyer: &Buyer) -> Answer {
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
        let line = json!({ "user": buyer.user, "order": order, "http": answer.http, "status": answer.text("status"), "code": answer.code() });
        self.journal.write("cancel", line);
        answer
    }

    /// The payment provider tells of a payment.
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
            "order": order, "reference": reference, "amount_cents": amount_cents, "http": answer.http, "result": answer.text("result"),
            "code": answer.code(),
        });
        self.journal.write("pay", line);
        answer
    }
}

/// The provider's signature: HMAC-SHA256 over timestamp, dot and body.
pub fn sign(secret: &str, timestamp: &str, body: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    format!("v1={}", hex::encode(mac.finalize().into_bytes()))
}
