//! The functions, the log between them, and the invariants that hold once all have recovered.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cache_invalidator::Invalidator;
use delay_queue::Due;
use futures::FutureExt;
use lambda_batch::Tick;
use order_create::Creator;
use serde_json::{Value, json};
use shared::access::Access;
use shared::config::Reader;
use shared::message::OrderNumber;
use shared::sale::Program;
use shared::store::OrderRow;
use sqlx::{AssertSqlSafe, PgPool};
use storefront::http::{Call, Fields, Problem, Reply};
use storefront::identity::Claims;
use storefront::kafka::BrokerAccess;
use storefront::{App, Settings};
use timeout_closer::Closer;

use crate::dying::killed_after;
use crate::log::{Broker, Log};

/// Key of the payment provider.
pub(crate) const SECRET: &str = "a secret of the tests";
/// Seats of the program. A buyer may have two.
pub(crate) const SEATS: u32 = 10;
/// Which function recovers first after a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    Create,
    Closer,
}

pub(crate) const EITHER: [First; 2] = [First::Create, First::Closer];

pub(crate) struct TestEnvironment {
    pub(crate) app: App,
    creator: Creator,
    pub(crate) log: Arc<Log>,
    pub(crate) program: Program,
    vars: HashMap<String, String>,
    pub(crate) raw: PgPool,
    pub(crate) redis: redis::aio::MultiplexedConnection,
    cache: redis::aio::MultiplexedConnection,
    /// The first offset that order-create has not received.
    read: AtomicUsize,
}

/// Runs a test in an environment of its own and removes its data afterwards.
pub(crate) async fn with(test: impl AsyncFnOnce(&TestEnvironment)) {
    let env = TestEnvironment::open().await;
    let end = AssertUnwindSafe(test(&env)).catch_unwind().await;
    env.clear().await;
    if let Err(failure) = end {
        resume_unwind(failure);
    }
}

impl TestEnvironment {
    async fn open() -> Self {
        let redis_url = testkit::servers::redis_url();
        let cache_url = testkit::servers::cache_url();
        let database_url = testkit::servers::database_url();
        let vars: HashMap<String, String> = [
            ("ENV_PREFIX", testkit::prefix()),
            ("REDIS_GATE_URL", redis_url.clone()),
            ("REDIS_CACHE_URL", cache_url.clone()),
            ("DATABASE_URL", database_url.clone()),
            ("KAFKA_BROKERS", "127.0.0.1:9".to_owned()),
            ("PAYMENT_WEBHOOK_SECRET", SECRET.to_owned()),
            // One buyer sends all requests.
            ("ORDER_BUYER_RATE", "0".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let settings = storefront::Settings::read(&Reader::new(vars.clone()))
            .expect("settings of a test are valid");
        let names = settings.names.clone();
        let log = Arc::new(Log::new(settings.topic.clone()));
        let app = storefront(settings, log.clone());
        app.store
            .migrate()
            .await
            .expect("PostgreSQL is needed: `scripts/servers start postgres`, or set DATABASE_URL");
        let creator = creator(&vars);
        let raw = testkit::postgres::pool(&names.schema());
        let redis = connection(&redis_url).await;
        let cache = connection(&cache_url).await;
        let hall = json!([{"name": "A", "rows": 1, "seats_per_row": SEATS, "price_cents": 100}]);
        let body = json!({"title": "T", "user_limit": 2, "categories": hall});
        let reply = app
            .serve(&call("POST", "/programs", "promoter", &body))
            .await
            .expect("created");
        let id = reply.body["id"]
            .as_str()
            .and_then(|id| id.parse().ok())
            .expect("an id");
        let program = app
            .store
            .program(id)
            .await
            .expect("Postgres runs")
            .expect("stored");
        Self {
            app,
            creator,
            log,
            program,
            vars,
            raw,
            redis,
            cache,
            read: AtomicUsize::new(0),
        }
    }

    /// A request of alice for two adjacent seats, her limit; with a key if given.
    pub(crate) fn order_request(&self, key: Option<&str>) -> Call {
        let path = format!("/programs/{}/orders", self.program.id);
        let mut call = call("POST", &path, "alice", &json!({"category": 0, "count": 2}));
        if let Some(key) = key {
            call.headers.insert("idempotency-key", key);
        }
        call
    }

    /// A storefront to kill: a new process, so that its connections end with it.
    pub(crate) fn storefront(&self) -> App {
        storefront(self.app.settings.clone(), self.log.clone())
    }

    /// An order-create to kill.
    pub(crate) fn creator(&self) -> Creator {
        creator(&self.vars)
    }

    /// A new closer process. Its first tick sweeps.
    pub(crate) fn closer(&self) -> Closer {
        let settings = timeout_closer::Settings::read(&Reader::new(self.vars.clone()))
            .expect("settings of a test are valid");
        Closer::open(settings, &Access::default()).expect("opens")
    }

    /// Makes all timeout entries due, leased ones included.
    pub(crate) async fn all_due(&self) {
        for id in self.entries().await {
            let due = self
                .app
                .gate
                .timeouts()
                .reschedule(self.program.shard, &id, Due::At(1))
                .await;
            due.expect("Redis runs");
        }
    }

    /// A cache-invalidator to kill.
    pub(crate) fn invalidator(&self) -> Arc<Invalidator> {
        let settings = cache_invalidator::Settings::read(&Reader::new(self.vars.clone()))
            .expect("settings of a test are valid");
        Invalidator::open(settings, &Access::default()).expect("opens")
    }

    /// The versions of the program in a stream, in order.
    pub(crate) async fn announced(&self, stream: &str) -> Vec<i64> {
        let mut range = redis::cmd("XRANGE");
        range
            .arg(self.app.settings.names.stream(stream))
            .arg("-")
            .arg("+");
        let entries: Vec<(String, HashMap<String, String>)> = range
            .query_async(&mut self.cache.clone())
            .await
            .expect("Redis runs");
        let version =
            |fields: &HashMap<String, String>| fields["version"].parse().expect("a version");
        entries
            .iter()
            .filter(|(_, fields)| fields["id"] == self.program.id.to_string())
            .map(|(_, f)| version(f))
            .collect()
    }

    /// The program in Postgres.
    pub(crate) async fn committed(&self) -> Program {
        self.app
            .store
            .program(self.program.id)
            .await
            .expect("Postgres runs")
            .expect("stored")
    }

    /// Ages all unpublished changes, as if their storefronts were gone.
    pub(crate) async fn abandon_changes(&self) {
        let update =
            "UPDATE outbox SET created_at = created_at - interval '1 minute' WHERE NOT published";
        sqlx::raw_sql(update)
            .execute(&self.raw)
            .await
            .expect("statement");
    }

    pub(crate) async fn tick(&self) {
        let report = tick(&self.closer()).await;
        assert_eq!(report.outcome.failed, 0, "{report:?}");
    }

    /// Delivers to order-create what it has not received yet.
    pub(crate) async fn create(&self) {
        let (batch, end) = self.log.event(self.read.load(Ordering::Relaxed));
        if let Some(batch) = batch {
            let failures = serde_json::to_value(self.creator.handle(&batch).await).expect("JSON");
            assert_eq!(failures, json!({"batchItemFailures": []}));
        }
        self.read.store(end, Ordering::Relaxed);
    }

    /// Kills a storefront that holds seats for alice before it publishes.
    pub(crate) async fn die_holding(&self) {
        self.log.treat_as(Broker::Lossy);
        let mut waits = 0;
        while self.entries().await.is_empty() {
            waits += 1;
            let dying = self.storefront();
            let answer = killed_after(waits, dying.serve(&self.order_request(None))).await;
            assert!(answer.is_none(), "it ended without holding seats");
            // Its last command reaches Redis before this reply.
            dying.gate.ping().await.expect("Redis runs");
        }
    }

    pub(crate) async fn row(&self, order: OrderNumber) -> Option<OrderRow> {
        self.app.store.order(order).await.expect("Postgres runs")
    }

    /// The row of an accepted order, which must be stored and live; `None` if the request was
    /// refused.
    pub(crate) async fn promised(&self, answer: &Result<Reply, Problem>) -> Option<OrderRow> {
        let Ok(reply) = answer else { return None };
        let order = order_of(reply);
        let row = self
            .row(order)
            .await
            .unwrap_or_else(|| panic!("{order} was answered with {} and is lost", reply.status));
        assert!(
            row.status.is_live(),
            "{order} was answered with {} and is {}",
            reply.status,
            row.status
        );
        Some(row)
    }

    async fn clear(&self) {
        let pattern = format!("{}:*", self.app.settings.names.prefix());
        for mut redis in [self.redis.clone(), self.cache.clone()] {
            let mut from = 0_u64;
            loop {
                let mut scan = redis::cmd("SCAN");
                scan.arg(from)
                    .arg("MATCH")
                    .arg(&pattern)
                    .arg("COUNT")
                    .arg(10_000);
                let (next, keys): (u64, Vec<String>) =
                    scan.query_async(&mut redis).await.expect("Redis runs");
                for key in keys {
                    let _: u64 = redis::cmd("UNLINK")
                        .arg(key)
                        .query_async(&mut redis)
                        .await
                        .expect("Redis runs");
                }
                from = next;
                if from == 0 {
                    break;
                }
            }
        }
        self.app.store.disconnect().await;
        let drop = AssertSqlSafe(format!(
            "DROP SCHEMA {} CASCADE",
            self.app.settings.names.schema()
        ));
        sqlx::raw_sql(drop)
            .execute(&self.raw)
            .await
            .expect("schema dropped");
    }
}

async fn connection(url: &str) -> redis::aio::MultiplexedConnection {
    let connection = redis::Client::open(url)
        .expect("a usable address")
        .get_multiplexed_async_connection()
        .await;
    connection.unwrap_or_else(|e| {
        panic!("no Redis at {url} ({e}): run `scripts/servers start redis cache`")
    })
}

fn creator(vars: &HashMap<String, String>) -> Creator {
    let settings = order_create::Settings::read(&Reader::new(vars.clone()))
        .expect("settings of a test are valid");
    Creator::open(settings, &Access::default()).expect("opens")
}

/// One tick with a time limit of a minute.
pub(crate) async fn tick(closer: &Closer) -> timeout_closer::TickReport {
    closer
        .tick(
            &Tick {
                at_ms: Some(1),
                id: None,
            },
            Duration::from_secs(60),
        )
        .await
        .expect("the servers run")
}

/// The order number of an answer.
pub(crate) fn order_of(reply: &Reply) -> OrderNumber {
    reply.body["order"]
        .as_str()
        .and_then(|order| order.parse().ok())
        .expect("an order")
}

/// A request of the buyer `sub`.
pub(crate) fn call(method: &str, path: &str, sub: &str, body: &Value) -> Call {
    let claims = [("sub", sub), ("scope", "programs:write")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    Call {
        method: method.to_owned(),
        path: path.to_owned(),
        query: Fields::default(),
        headers: Fields::default(),
        body: body.to_string().into_bytes(),
        claims: Claims::new(claims.into_iter().collect()),
        source_ip: None,
        span: None,
    }
}

fn storefront(settings: Settings, log: Arc<Log>) -> App {
    let brokers = BrokerAccess::plaintext(settings.brokers.as_str());
    // The settings have every value: nothing is read from elsewhere.
    let access = Access::open(&settings.access).now_or_never();
    let access = access.expect("nothing to wait for").expect("a key");
    App::with_publisher(settings, &access, log, brokers).expect("opens")
}
