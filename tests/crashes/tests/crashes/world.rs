//! The three functions, the log between them, and what must hold when all have come to rest.

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cache_invalidator::Invalidator;
use delay_queue::Due;
use futures::FutureExt;
use lambda_batch::Tick;
use order_create::Creator;
use serde_json::{Value, json};
use shared::config::Reader;
use shared::gate::ProgramRef;
use shared::message::{OrderNumber, SeatIndex};
use shared::sale::{Program, Status};
use shared::store::OrderRow;
use sqlx::{AssertSqlSafe, PgPool};
use storefront::App;
use storefront::http::{Call, Fields, Problem, Reply};
use storefront::identity::Claims;
use timeout_closer::Closer;

use crate::dying::killed_after;
use crate::log::{Broker, Log};

/// Key of the payment provider.
pub(crate) const SECRET: &str = "a secret of the tests";
/// Seats of the one program; a buyer may have two.
const SEATS: u32 = 10;
/// How long all may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who comes first after a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    Create,
    Closer,
}

pub(crate) const EITHER: [First; 2] = [First::Create, First::Closer];

pub(crate) struct World {
    pub(crate) app: App,
    creator: Creator,
    pub(crate) log: Arc<Log>,
    pub(crate) program: Program,
    vars: HashMap<String, String>,
    raw: PgPool,
    redis: redis::aio::MultiplexedConnection,
    cache: redis::aio::MultiplexedConnection,
    /// The first offset that create has not been given.
    read: AtomicUsize,
}

/// Runs a test in an environment of its own, and removes all traces of it, however it ends.
pub(crate) async fn with(test: impl AsyncFnOnce(&World)) {
    let world = World::open().await;
    let end = AssertUnwindSafe(test(&world)).catch_unwind().await;
    world.clear().await;
    if let Err(failure) = end {
        resume_unwind(failure);
    }
}

impl World {
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
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let settings = storefront::Settings::read(&Reader::new(vars.clone()))
            .expect("settings of a test are valid");
        let names = settings.names.clone();
        let log = Arc::new(Log::new(settings.topic.clone()));
        let app = App::with_publisher(settings, log.clone()).expect("opens");
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

    /// Two seats side by side for alice, who may have no more. With a key where given.
    pub(crate) fn wish(&self, key: Option<&str>) -> Call {
        let path = format!("/programs/{}/orders", self.program.id);
        let mut call = call("POST", &path, "alice", &json!({"category": 0, "count": 2}));
        if let Some(key) = key {
            call.headers.insert("idempotency-key", key);
        }
        call
    }

    /// A storefront to be killed: a process of its own, so that its connections die with it.
    pub(crate) fn storefront(&self) -> App {
        App::with_publisher(self.app.settings.clone(), self.log.clone()).expect("opens")
    }

    /// A creator to be killed.
    pub(crate) fn creator(&self) -> Creator {
        creator(&self.vars)
    }

    /// A new process of the closer's: its first tick sweeps.
    pub(crate) fn closer(&self) -> Closer {
        let settings = timeout_closer::Settings::read(&Reader::new(self.vars.clone()))
            .expect("settings of a test are valid");
        Closer::open(settings).expect("opens")
    }

    /// All timeout entries are due, whoever holds them.
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

    /// The invalidator, to be killed.
    pub(crate) fn invalidator(&self) -> Invalidator {
        let settings = cache_invalidator::Settings::read(&Reader::new(self.vars.clone()))
            .expect("settings of a test are valid");
        Invalidator::open(settings).expect("opens")
    }

    /// The versions of the program that a stream tells of, in its order.
    pub(crate) async fn told(&self, stream: &str) -> Vec<i64> {
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

    /// The program as Postgres has it.
    pub(crate) async fn committed(&self) -> Program {
        self.app
            .store
            .program(self.program.id)
            .await
            .expect("Postgres runs")
            .expect("stored")
    }

    /// Whoever made a change is long dead.
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

    /// Create gets what it has not been given yet.
    pub(crate) async fn create(&self) {
        let (batch, end) = self.log.event(self.read.load(Ordering::Relaxed));
        if let Some(batch) = batch {
            let failures = serde_json::to_value(self.creator.handle(&batch).await).expect("JSON");
            assert_eq!(failures, json!({"batchItemFailures": []}));
        }
        self.read.store(end, Ordering::Relaxed);
    }

    /// A storefront that dies holding seats for alice, its message unsent.
    pub(crate) async fn die_holding(&self) {
        self.log.treat_as(Broker::Lossy);
        let mut waits = 0;
        while self.entries().await.is_empty() {
            waits += 1;
            let dying = self.storefront();
            let answer = killed_after(waits, dying.serve(&self.wish(None))).await;
            assert!(answer.is_none(), "it came to its end, holding nothing");
            // What it had sent arrives before this answer does.
            dying.gate.ping().await.expect("Redis runs");
        }
    }

    /// Those that live carry on until all is at rest.
    pub(crate) async fn recover(&self, first: First) {
        if first == First::Create {
            self.create().await;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.all_due().await;
            self.tick().await;
            self.create().await;
            match self.check().await {
                Ok(()) => return,
                // What the dead one had sent last may have arrived only now.
                Err(why) => assert!(Instant::now() < deadline, "{why}"),
            }
        }
    }

    /// What is unpaid is overdue.
    pub(crate) async fn overdue(&self) {
        let update =
            "UPDATE orders SET pay_by = now() - interval '1 second' WHERE status = 'unpaid'";
        sqlx::raw_sql(update)
            .execute(&self.raw)
            .await
            .expect("statement");
    }

    /// Time passes: what is unpaid ends, and everything it held is free again.
    pub(crate) async fn time_is_up(&self) {
        self.overdue().await;
        self.recover(First::Closer).await;
        let live = self.live().await;
        assert!(
            live.iter().all(|row| row.status == Status::Paid),
            "{live:?}"
        );
    }

    /// A paid order is paid back, so that its buyer may order again.
    pub(crate) async fn refund(&self) {
        let update = "DELETE FROM order_seats; UPDATE orders SET status = 'refunded', version = \
            version + 1, dirty = true WHERE status = 'paid'";
        sqlx::raw_sql(update)
            .execute(&self.raw)
            .await
            .expect("statement");
        self.recover(First::Closer).await;
    }

    /// Gate and Postgres agree.
    async fn check(&self) -> Result<(), String> {
        let live = self.live().await;
        let stored: BTreeSet<(SeatIndex, OrderNumber, [u8; 16])> = live
            .iter()
            .flat_map(|row| {
                row.seats
                    .iter()
                    .map(|seat| (*seat, row.number, row.nonce.bytes()))
            })
            .collect();
        let owned = self.owned().await;
        same("seats owned in the gate, and in Postgres", &owned, &stored)?;
        same(
            "free seats",
            &(self.free().await as usize),
            &(SEATS as usize - owned.len()),
        )?;
        let unpaid: BTreeSet<String> = live
            .iter()
            .filter(|row| row.status == Status::Unpaid)
            .map(|row| row.number.to_string())
            .collect();
        same(
            "orders with a timeout entry, and unpaid ones",
            &self.entries().await,
            &unpaid,
        )?;
        same(
            "rows the gate may not know",
            &self
                .app
                .store
                .dirty(None, 100)
                .await
                .expect("Postgres runs"),
            &vec![],
        )
    }

    async fn live(&self) -> Vec<OrderRow> {
        self.app
            .store
            .live_orders(self.program.id, None, 1_000)
            .await
            .expect("Postgres runs")
            .orders
    }

    async fn owned(&self) -> BTreeSet<(SeatIndex, OrderNumber, [u8; 16])> {
        let page = self
            .app
            .gate
            .taken(ProgramRef::from(&self.program), 0)
            .await
            .expect("Redis runs");
        assert_eq!(page.next, None, "so few are on one page");
        page.taken
            .into_iter()
            .map(|taken| (taken.seat, taken.order, taken.nonce.bytes()))
            .collect()
    }

    async fn free(&self) -> u32 {
        let at = ProgramRef::from(&self.program);
        self.app
            .gate
            .availability(at)
            .await
            .expect("Redis runs")
            .expect("installed")
            .free[0]
            .1
    }

    async fn entries(&self) -> BTreeSet<String> {
        let key = self
            .app
            .settings
            .names
            .shard_key(self.program.shard, "delay:order-timeout:due");
        let mut command = redis::cmd("ZRANGE");
        command.arg(key).arg(0).arg(-1);
        command
            .query_async(&mut self.redis.clone())
            .await
            .expect("Redis runs")
    }

    pub(crate) async fn row(&self, order: OrderNumber) -> Option<OrderRow> {
        self.app.store.order(order).await.expect("Postgres runs")
    }

    /// The row of an answered order, which must be stored and good; nothing if the answer was no.
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
    Creator::open(settings).expect("opens")
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: {found:?}, {expected:?}"))
    }
}

/// One tick with a minute of time.
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

/// The order of an answer.
pub(crate) fn order_of(reply: &Reply) -> OrderNumber {
    reply.body["order"]
        .as_str()
        .and_then(|order| order.parse().ok())
        .expect("an order")
}

/// A request by somebody.
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
        span: None,
    }
}
