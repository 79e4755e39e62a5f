//! What every test stands on: a program on sale in gate and Postgres, orders as far as one likes, and ticks.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, SystemTime};

use delay_queue::Due;
use lambda_batch::Tick;
use redis::FromRedisValue;
use shared::config::Reader;
use shared::gate::{
    Accepted, Claim, Epoch, Gate, Install, OrderAt, ProgramRef, Reserve, Reserved, Start,
    TIMEOUT_QUEUE,
};
use shared::message::{Barrier, Cents, Nonce, OrderNumber, OrderRequested, SeatIndex, UserId};
use shared::naming::Names;
use shared::reconcile::reconcile;
use shared::sale::{NewCategory, NewProgram, Program, Status, Want};
use shared::store::{Arrival, OrderRow, Store};
use sqlx::{AssertSqlSafe, PgPool};
use timeout_closer::handler::TickError;
use timeout_closer::{Closer, Report, Settings};

/// Appended by the broker at this time, in all tests that do not care.
pub(crate) const APPENDED_MS: i64 = 1_800_000_000_000;
const PRICE: i64 = 100;

fn variable(name: &str, usual: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| usual.to_owned())
}

/// The Redis of caches and streams.
pub(crate) fn cache_url() -> String {
    variable("CACHE_URL", "redis://127.0.0.1:16380")
}

/// One test's environment.
pub(crate) struct Stage {
    pub(crate) names: Names,
    pub(crate) gate: Gate,
    pub(crate) store: Store,
    /// A way past the store, to meddle.
    pub(crate) raw: PgPool,
    redis: redis::aio::MultiplexedConnection,
    pub(crate) program: Program,
    next: AtomicU16,
}

/// Runs a test with a program of `rows` times ten seats on sale, and removes all traces of it, however it ends.
pub(crate) async fn with<F: Future<Output = ()> + Send + 'static>(
    rows: u32,
    test: impl FnOnce(std::sync::Arc<Stage>) -> F + Send + 'static,
) {
    let stage = std::sync::Arc::new(Stage::open(rows).await);
    let end = tokio::spawn(test(stage.clone())).await;
    stage.clear().await;
    if let Err(failure) = end {
        std::panic::resume_unwind(failure.into_panic());
    }
}

impl Stage {
    async fn open(rows: u32) -> Self {
        let names =
            Names::new(&format!("t{:012x}", rand::random::<u64>() >> 16)).expect("a valid prefix");
        let redis_url = redis_url();
        let database_url = database_url();
        let gate = Gate::connect(&redis_url, names.clone(), Duration::from_secs(5))
            .expect("a usable address");
        let store = Store::connect(&database_url, &names, 4).expect("a database URL");
        store
            .migrate()
            .await
            .expect("PostgreSQL is needed: `scripts/servers start postgres`, or set DATABASE_URL");
        let options: sqlx::postgres::PgConnectOptions =
            database_url.parse().expect("a database URL");
        let options = options.options([("search_path", names.schema())]);
        let raw = sqlx::postgres::PgPoolOptions::new()
            .max_connections(2)
            .connect_lazy_with(options);
        let client = redis::Client::open(redis_url.as_str()).expect("a usable address");
        let redis = client.get_multiplexed_async_connection().await;
        let redis = redis.unwrap_or_else(|e| {
            panic!("no Redis at {redis_url} ({e}): run `scripts/servers start redis`")
        });
        let program = store
            .create_program(hall(rows), None)
            .await
            .expect("created");
        let stage = Self {
            names,
            gate,
            store,
            raw,
            redis,
            program,
            next: AtomicU16::new(0),
        };
        stage.install().await;
        stage
    }

    /// Puts the program into the gate, all seats free but those of reservations.
    pub(crate) async fn install(&self) {
        self.install_program(&self.program).await;
    }

    /// Puts any program into the gate.
    pub(crate) async fn install_program(&self, program: &Program) {
        let loader = self.begin_program(program, "{}").await;
        assert_eq!(
            self.gate
                .install_open(ProgramRef::from(program), &loader)
                .await,
            Ok(true)
        );
    }

    /// Begins to fill the gate from nothing, as a storefront does that then dies. Its lease does not run out by itself.
    pub(crate) async fn begin(&self, ends: &str) -> Epoch {
        self.begin_program(&self.program, ends).await
    }

    async fn begin_program(&self, program: &Program, ends: &str) -> Epoch {
        let loader = Epoch::new(rand::random());
        let claim = self
            .gate
            .install_claim(ProgramRef::from(program), &loader, 60_000)
            .await;
        let Ok(Claim::Granted(grant)) = claim else {
            panic!("no grant but {claim:?}")
        };
        let start = Start {
            grant: &grant,
            ends,
        };
        let begun = self
            .gate
            .install_begin(program, Some(start), &loader, 60_000)
            .await;
        assert!(matches!(begun, Ok(Install::Mine { .. })), "{begun:?}");
        loader
    }

    pub(crate) fn at_program(&self) -> ProgramRef {
        ProgramRef::from(&self.program)
    }

    /// The variables of a process of the closer's, with others where given.
    pub(crate) fn variables(&self, more: &[(&str, &str)]) -> HashMap<String, String> {
        let mut vars: HashMap<String, String> = HashMap::from([
            ("ENV_PREFIX".to_owned(), self.names.prefix().to_owned()),
            ("REDIS_GATE_URL".to_owned(), redis_url()),
            ("REDIS_CACHE_URL".to_owned(), cache_url()),
            ("DATABASE_URL".to_owned(), database_url()),
        ]);
        vars.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        vars
    }

    /// A process of the closer's, with other settings where given.
    pub(crate) fn closer(&self, more: &[(&str, &str)]) -> Closer {
        let settings = Settings::read(&Reader::new(self.variables(more)));
        Closer::open(settings.expect("settings of a test are valid")).expect("opens")
    }

    /// One tick of a new process: the first of a process always sweeps.
    pub(crate) async fn tick(&self) -> Report {
        tick(&self.closer(&[])).await.expect("the servers run")
    }

    /// A request for seats that nobody has reserved.
    pub(crate) fn request(&self, user: &str, seats: &[u32]) -> OrderRequested {
        let ms = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("after 1970")
            .as_millis() as u64;
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        OrderRequested {
            v: 1,
            order: OrderNumber::compose(ms, self.program.shard, n).expect("valid"),
            nonce: Nonce::new(rand::random()),
            user: UserId::new(user).expect("valid"),
            program: self.program.id,
            category: self.program.categories[0].no,
            seats: seats
                .iter()
                .map(|seat| SeatIndex::new(*seat).expect("valid"))
                .collect(),
            unit_price_cents: Cents::new(PRICE).expect("valid"),
            amount_cents: Cents::new(PRICE * seats.len() as i64).expect("valid"),
            idempotency_key: None,
            idempotency_hash: None,
            pay_by_ms: ms as i64 + self.program.pay_window_ms,
            trace: None,
        }
    }

    pub(crate) fn at(&self, request: &OrderRequested) -> OrderAt {
        OrderAt {
            order: request.order,
            nonce: request.nonce,
            program: self.at_program(),
        }
    }

    /// What the gate says to a request.
    pub(crate) async fn ask(&self, request: &OrderRequested) -> Reserved {
        self.reserve(
            request,
            Want::seats(request.category, request.seats.clone()).expect("valid"),
        )
        .await
    }

    /// What the gate says to a request for the best seats.
    pub(crate) async fn ask_best(&self, count: u32) -> Reserved {
        let request = self.request("best", &[0]);
        let want = Want::best(request.category, count).expect("valid");
        self.reserve(&request, want).await
    }

    async fn reserve(&self, request: &OrderRequested, want: Want) -> Reserved {
        let text = serde_json::to_string(&OrderRequested {
            seats: vec![],
            ..request.clone()
        })
        .expect("JSON");
        let (head, tail) = text.split_once("\"seats\":[").expect("a message has seats");
        let wish = Reserve {
            program: self.at_program(),
            order: request.order,
            nonce: request.nonce,
            user: request.user.clone(),
            want,
            unit_price: request.unit_price_cents,
            user_limit: 1_000,
            idempotency: None,
            publish_window_ms: 900_000,
            idem_ttl_ms: 900_000,
            message_head: format!("{head}\"seats\":["),
            message_tail: tail.to_owned(),
        };
        self.gate.reserve(&wish).await.expect("Redis runs")
    }

    /// An order as a storefront leaves it that dies before it knows what became of its message.
    pub(crate) async fn held(&self, user: &str, seats: &[u32]) -> OrderRequested {
        let request = self.request(user, seats);
        let answer = self.ask(&request).await;
        assert!(matches!(answer, Reserved::Held { .. }), "{answer:?}");
        request
    }

    /// An order whose message is at this offset of partition 0.
    pub(crate) async fn accepted(&self, user: &str, seats: &[u32], offset: i64) -> OrderRequested {
        let request = self.held(user, seats).await;
        let accepted = self
            .gate
            .accept(self.at(&request), 0, offset, APPENDED_MS, 900_000)
            .await;
        assert_eq!(accepted, Ok(Accepted::Yes));
        request
    }

    /// Plays create for a record, without telling the gate. No order: a record that cannot be read.
    pub(crate) async fn create(
        &self,
        request: Option<&OrderRequested>,
        offset: i64,
        appended_ms: i64,
    ) {
        let topic = self.names.topic("order-create");
        let message = request
            .cloned()
            .ok_or_else(|| lambda_batch::Reason::new("not JSON"));
        let arrival = Arrival {
            topic: &topic,
            partition: 0,
            offset,
            appended_ms: Some(appended_ms),
            key: None,
            value: Some(b"a record"),
            message,
        };
        let stored = self
            .store
            .store_orders(std::slice::from_ref(&arrival), 60_000)
            .await;
        assert_eq!(stored.unfinished, None);
    }

    /// Plays a storefront that appends the requested barrier of partition 0, and create that reads it at this offset. Whether one was
    /// requested.
    pub(crate) async fn pass_barrier(&self, offset: i64, appended_ms: i64) -> bool {
        let topic = self.names.topic("order-create");
        let token = Nonce::new(rand::random());
        let claimed = self
            .store
            .claim_barriers(&topic, token)
            .await
            .expect("Postgres runs");
        let value = Barrier::new(token).encode();
        let arrival = Arrival {
            topic: &topic,
            partition: 0,
            offset,
            appended_ms: Some(appended_ms),
            key: None,
            value: Some(value.as_bytes()),
            message: Err(lambda_batch::Reason::new("no order")),
        };
        let stored = self
            .store
            .store_orders(std::slice::from_ref(&arrival), 60_000)
            .await;
        assert_eq!((stored.unfinished, stored.parked), (None, vec![]));
        !claimed.is_empty()
    }

    /// A stored unpaid order that the gate knows.
    pub(crate) async fn unpaid(&self, user: &str, seats: &[u32], offset: i64) -> OrderRequested {
        let request = self.accepted(user, seats, offset).await;
        self.create(Some(&request), offset, APPENDED_MS).await;
        self.settle(&request).await;
        request
    }

    /// Tells the gate what the row says.
    pub(crate) async fn settle(&self, request: &OrderRequested) {
        let row = self.row(request).await.expect("stored");
        let report = reconcile(&self.gate, &self.store, &[row])
            .await
            .expect("Postgres runs");
        assert_eq!((report.settled, report.failed), (1, vec![]));
    }

    /// Its time to pay is up, and its timeout entry, if it has one, is due.
    pub(crate) async fn overdue(&self, request: &OrderRequested) {
        let update = "UPDATE orders SET pay_by = now() - interval '1 second' WHERE number = $1";
        sqlx::query(update)
            .bind(request.order.get())
            .execute(&self.raw)
            .await
            .expect("statement");
        self.due(request).await;
    }

    /// The wait that its timeout entry was given is over; its attempts are remembered.
    pub(crate) async fn wait_over(&self, request: &OrderRequested) {
        let _: u64 = self
            .redis(&[
                "ZADD",
                &self.queue_key("due"),
                "XX",
                "1",
                &request.order.to_string(),
            ])
            .await;
    }

    /// Its timeout entry is due, whatever Postgres says. Answers whether it has one.
    pub(crate) async fn due(&self, request: &OrderRequested) -> bool {
        let id = request.order.to_string();
        self.gate
            .timeouts()
            .reschedule(request.order.shard(), &id, Due::At(1))
            .await
            .expect("Redis runs")
    }

    pub(crate) async fn run(&self, sql: &'static str) {
        sqlx::raw_sql(sql)
            .execute(&self.raw)
            .await
            .expect("statement");
    }

    pub(crate) async fn row(&self, request: &OrderRequested) -> Option<OrderRow> {
        self.store
            .order(request.order)
            .await
            .expect("Postgres runs")
    }

    pub(crate) async fn status(&self, request: &OrderRequested) -> Option<Status> {
        self.row(request).await.map(|row| row.status)
    }

    /// Whether the order has a timeout entry.
    pub(crate) async fn has_entry(&self, request: &OrderRequested) -> bool {
        let id = request.order.to_string();
        self.gate
            .timeouts()
            .peek(request.order.shard(), &id)
            .await
            .expect("Redis runs")
            .is_some()
    }

    /// In how many ms its entry is due.
    pub(crate) async fn due_in_ms(&self, request: &OrderRequested) -> i64 {
        let entry = self
            .gate
            .timeouts()
            .peek(request.order.shard(), &request.order.to_string())
            .await
            .expect("Redis runs");
        let time: (i64, i64) = self.redis(&["TIME"]).await;
        entry.expect("an entry").due_ms as i64 - (time.0 * 1_000 + time.1 / 1_000)
    }

    /// Free seats of the program by the gate.
    pub(crate) async fn free(&self) -> u32 {
        self.gate
            .availability(self.at_program())
            .await
            .expect("Redis runs")
            .expect("installed")
            .free[0]
            .1
    }

    /// One command to Redis.
    pub(crate) async fn redis<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command
            .query_async(&mut self.redis.clone())
            .await
            .unwrap_or_else(|e| panic!("{words:?}: {e}"))
    }

    pub(crate) fn key(&self, rest: &str) -> String {
        self.names.shard_key(self.program.shard, rest)
    }

    pub(crate) fn program_key(&self, rest: &str) -> String {
        self.key(&format!("program:{}:{rest}", self.program.id))
    }

    /// A hash of the timeout queue.
    pub(crate) fn queue_key(&self, part: &str) -> String {
        self.key(&format!("delay:{TIMEOUT_QUEUE}:{part}"))
    }

    async fn clear(&self) {
        let pattern = format!("{}:*", self.names.prefix());
        let mut from = "0".to_owned();
        loop {
            let (next, keys): (String, Vec<String>) = self
                .redis(&["SCAN", &from, "MATCH", &pattern, "COUNT", "10000"])
                .await;
            for key in keys {
                let _: u64 = self.redis(&["DEL", &key]).await;
            }
            from = next;
            if from == "0" {
                break;
            }
        }
        let cache = redis::Client::open(cache_url())
            .expect("a usable address")
            .get_multiplexed_async_connection()
            .await;
        if let Ok(mut cache) = cache {
            let stream = self.names.stream("program-changed");
            let _: u64 = redis::cmd("UNLINK")
                .arg(stream)
                .query_async(&mut cache)
                .await
                .expect("Redis runs");
        }
        self.store.disconnect().await;
        let drop = AssertSqlSafe(format!("DROP SCHEMA {} CASCADE", self.names.schema()));
        sqlx::raw_sql(drop)
            .execute(&self.raw)
            .await
            .expect("schema dropped");
    }
}

/// One tick with a minute of time.
pub(crate) async fn tick(closer: &Closer) -> Result<Report, TickError> {
    let tick = Tick {
        at_ms: Some(1),
        id: None,
    };
    closer.tick(&tick, Duration::from_secs(60)).await
}

/// A program of rows of ten seats.
pub(crate) fn hall(rows: u32) -> NewProgram {
    let category = NewCategory {
        name: "A".to_owned(),
        rows,
        row_len: 10,
        price: Cents::new(PRICE).expect("valid"),
    };
    NewProgram::new("T".to_owned(), vec![category], 900_000, 1_000).expect("valid")
}

pub(crate) fn redis_url() -> String {
    variable("REDIS_GATE_URL", "redis://127.0.0.1:16379")
}

fn database_url() -> String {
    variable(
        "DATABASE_URL",
        "postgres://usher:usher@127.0.0.1:15432/usher",
    )
}
