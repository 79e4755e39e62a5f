//! The sale's HTTP API, as buyers and the payment provider use it. Writes each answer to the client
//! log.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use aws_lc_rs::hmac;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client_log::ClientLog;

/// The seats of an order, as its request names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum SeatSelection {
    /// These seats.
    #[serde(rename = "seats")]
    Seats(Vec<u32>),
    /// This number of adjacent seats.
    #[serde(rename = "count")]
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
#[derive(Debug, Clone, Default)]
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
    async fn read(response: Response) -> Self {
        let header = |name: &'static str| response.headers().get(name)?.to_str().ok();
        Self {
            http: response.status().as_u16(),
            instance: header("x-instance-id").map(str::to_owned),
            retry_after: header("retry-after").and_then(|seconds| seconds.parse().ok()),
            body: response.json().await.unwrap_or_default(),
            took: Duration::ZERO,
        }
    }

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
        let order = PlacedOrder::deserialize(&self.body).ok();
        order.filter(|_| self.ok())
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

/// A route (`GET /orders/{number}`) and the status of the answer.
pub type RouteStatus = (String, u16);

/// The number of requests sent, which the API statistics are compared with.
#[derive(Debug, Clone, Default)]
pub struct RequestCounts {
    /// Requests that the function answered: the answer has the id of an instance.
    pub answered: BTreeMap<RouteStatus, u64>,
    /// Requests that the function may not have handled: the gateway answered, or no answer arrived.
    pub uncertain: u64,
}

/// Where requests go, by turns.
#[derive(Debug)]
struct Bases {
    urls: Vec<String>,
    turn: usize,
}

impl Bases {
    fn new(urls: Vec<String>) -> Self {
        Self { urls, turn: 0 }
    }

    fn next(&mut self) -> &str {
        self.turn = (self.turn + 1) % self.urls.len();
        &self.urls[self.turn]
    }
}

/// A client of the API. Clones share the addresses, the log and the counts.
#[derive(Debug, Clone)]
pub struct ApiClient {
    client: Client,
    bases: Arc<Mutex<Bases>>,
    secret: String,
    client_log: ClientLog,
    sent: Arc<Mutex<RequestCounts>>,
}

impl ApiClient {
    /// `base` like `http://127.0.0.1:18080`; `secret` is the one shared with the payment provider.
    pub fn new(base: &str, secret: &str, client_log: ClientLog) -> Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(35));
        Ok(Self {
            client: client.build().context("cannot create an HTTP client")?,
            bases: Arc::new(Mutex::new(Bases::new(vec![base.to_owned()]))),
            secret: secret.to_owned(),
            client_log,
            sent: Arc::default(),
        })
    }

    /// Requests sent through this client and its clones.
    pub fn request_counts(&self) -> RequestCounts {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.clone()
    }

    /// Sends the following requests of all clones to these addresses, by turns, as a load balancer does.
    pub fn serve_at(&self, addresses: &[SocketAddr]) {
        let bases = addresses.iter().map(|at| format!("http://{at}"));
        *self.bases() = Bases::new(bases.collect());
    }

    fn bases(&self) -> MutexGuard<'_, Bases> {
        self.bases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.bases().next());
        self.client.request(method, url)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// Sends a request. `route` is its name in the API statistics.
    async fn send(&self, route: &str, request: RequestBuilder) -> Answer {
        let began = Instant::now();
        let mut answer = match request.send().await {
            Ok(response) => Answer::read(response).await,
            Err(_) => Answer::default(),
        };
        answer.took = began.elapsed();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if answer.instance.is_some() {
            let key = (route.to_owned(), answer.http);
            *sent.answered.entry(key).or_default() += 1;
        } else {
            sent.uncertain += 1;
        }
        answer
    }

    /// Creates a program; needs a token with the scope `programs:write`.
    pub async fn create_program(&self, seller: &Buyer, program: &Value) -> Answer {
        let request = self.post("/programs").bearer_auth(&seller.token);
        let answer = self.send("POST /programs", request.json(program)).await;
        if let Some(id) = answer.text("id") {
            self.client_log.write("sale", json!({ "program": id }));
        }
        answer
    }

    /// Gets a program with its free seats.
    pub async fn program(&self, id: &str) -> Answer {
        let request = self.get(&format!("/programs/{id}"));
        self.send("GET /programs/{id}", request).await
    }

    /// Changes a program; needs a token with the scope `programs:write`.
    pub async fn update_program(&self, seller: &Buyer, id: &str, change: &Value) -> Answer {
        let request = self.request(Method::PATCH, &format!("/programs/{id}"));
        let request = request.bearer_auth(&seller.token).json(change);
        self.send("PATCH /programs/{id}", request).await
    }

    /// Stops (`stop`) or resumes (`resume`) a sale; needs a token with the scope `programs:write`.
    pub async fn switch_sale(&self, seller: &Buyer, id: &str, verb: &str) -> Answer {
        let request = self.post(&format!("/programs/{id}/{verb}"));
        let request = request.bearer_auth(&seller.token);
        self.send(&format!("POST /programs/{{id}}/{verb}"), request)
            .await
    }

    /// Switches the waiting room of a program; `None`: off. Needs a token with the scope
    /// `programs:write`.
    pub async fn switch_waiting_room(
        &self,
        seller: &Buyer,
        id: &str,
        admissions_per_second: Option<u32>,
    ) -> Answer {
        let request = self.request(Method::PUT, &format!("/programs/{id}/waiting-room"));
        let body = json!({ "admissions_per_second": admissions_per_second });
        let request = request.bearer_auth(&seller.token).json(&body);
        self.send("PUT /programs/{id}/waiting-room", request).await
    }

    /// Joins the waiting room of a program.
    pub async fn join_waiting_room(&self, buyer: &Buyer, id: &str) -> Answer {
        let request = self.post(&format!("/programs/{id}/waiting-room"));
        let request = request.bearer_auth(&buyer.token);
        self.send("POST /programs/{id}/waiting-room", request).await
    }

    /// Looks at a place in the waiting room of a program.
    pub async fn waiting_room_place(&self, buyer: &Buyer, id: &str, ticket: &str) -> Answer {
        let request = self.get(&format!("/programs/{id}/waiting-room?ticket={ticket}"));
        let request = request.bearer_auth(&buyer.token);
        self.send("GET /programs/{id}/waiting-room", request).await
    }

    /// Adds seats to a program (`seats`), blocks or unblocks some (`block`, `unblock`); needs a token
    /// with the scope `programs:write`.
    pub async fn change_seats(&self, seller: &Buyer, id: &str, verb: &str, body: &Value) -> Answer {
        let request = self.post(&format!("/programs/{id}/{verb}"));
        let request = request.bearer_auth(&seller.token).json(body);
        let route = format!("POST /programs/{{id}}/{verb}");
        self.send(&route, request).await
    }

    /// Gets sums of API calls; needs a token with the scope `api-calls:read`. Example of `query`:
    /// `by=route,status`.
    pub async fn statistics(&self, operator: &Buyer, query: &str) -> Answer {
        let request = self.get(&format!("/api-calls/statistics?{query}"));
        let request = request.bearer_auth(&operator.token);
        self.send("GET /api-calls/statistics", request).await
    }

    /// Gets the seat map of a category.
    pub async fn seats(&self, id: &str, category: u32) -> Answer {
        let request = self.get(&format!("/programs/{id}/seats?category={category}"));
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
        let mut body = json!(selection);
        body["category"] = json!(category);
        let request = self.post(&format!("/programs/{program}/orders?wait={wait}"));
        let mut request = request.bearer_auth(&buyer.token).json(&body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let answer = self.send("POST /programs/{id}/orders", request).await;
        let mut line = json!({
            "user": buyer.user, "program": program, "key": key, "http": answer.http,
            "code": answer.code(), "took_ms": answer.took.as_millis() as u64,
        });
        if let Some(order) = answer.order() {
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
        let request = self.get(&format!("/orders/{order}"));
        let request = request.bearer_auth(&buyer.token);
        let answer = self.send("GET /orders/{number}", request).await;
        let line = json!({
            "user": buyer.user, "order": order, "http": answer.http, "status": answer.text("status"),
        });
        self.client_log.write("seen", line);
        answer
    }

    /// Lists the buyer's latest orders.
    pub async fn list_orders(&self, buyer: &Buyer) -> Answer {
        let request = self.get("/orders?limit=100").bearer_auth(&buyer.token);
        self.send("GET /orders", request).await
    }

    /// Cancels an order.
    pub async fn cancel(&self, buyer: &Buyer, order: &str) -> Answer {
        let request = self.post(&format!("/orders/{order}/cancel"));
        let request = request.bearer_auth(&buyer.token);
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
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_secs()).to_string();
        let request = self
            .post("/payments")
            .header("Content-Type", "application/json")
            .header("X-Payment-Timestamp", &now)
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

    /// Requests a refund of a paid order, as an operator with the scope `payments:write`. `None`:
    /// all that is left.
    pub async fn refund(
        &self,
        operator: &Buyer,
        order: &str,
        amount_cents: Option<i64>,
        key: &str,
    ) -> Answer {
        let mut body = json!({ "note": "requested by the demo" });
        if let Some(cents) = amount_cents {
            body["amount_cents"] = cents.into();
        }
        let request = self
            .post(&format!("/orders/{order}/refunds"))
            .bearer_auth(&operator.token)
            .header("Idempotency-Key", key)
            .json(&body);
        self.send("POST /orders/{number}/refunds", request).await
    }
}

/// Signature of the payment provider: HMAC-SHA256 over timestamp, dot and body.
pub fn sign(secret: &str, timestamp: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, format!("{timestamp}.{body}").as_bytes());
    format!("v1={}", hex::encode(signature))
}
