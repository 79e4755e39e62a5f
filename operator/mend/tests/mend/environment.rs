//! A program on sale with orders, and the two programs of operators.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use redis::FromRedisValue;
use serde_json::Value;
use shared::gate::{
    Accepted, Epoch, FillClaim, FillStart, Gate, HoldRequest, OrderAt, ProgramRef, Reserved,
    TIMEOUT_QUEUE,
};
use shared::message::{Cents, Nonce, OrderNumber, OrderRequested, SeatIndex, UserId};
use shared::naming::Names;
use shared::reconcile::reconcile;
use shared::sale::{NewCategory, NewProgram, Program, SeatSelection};
use shared::store::{Arrival, Store};
use sqlx::{AssertSqlSafe, PgPool};
use testkit::postgres::drop_schema;
use testkit::servers::{database_url, redis_url};
use testkit::with_cleanup;

const PRICE: i64 = 100;

/// One environment.
pub(crate) struct TestEnvironment {
    names: Names,
    pub(crate) gate: Gate,
    pub(crate) store: Store,
    raw: PgPool,
    program: Program,
    folder: tempfile::TempDir,
    next_offset: AtomicI64,
}

/// Runs a test with two rows of ten seats on sale, and removes its data afterwards.
pub(crate) async fn with<F: Future<Output = ()> + Send + 'static>(
    test: impl FnOnce(Arc<TestEnvironment>) -> F + Send + 'static,
) {
    let env = Arc::new(TestEnvironment::open().await);
    with_cleanup(test(env.clone()), env.clear()).await;
}

impl TestEnvironment {
    async fn open() -> Self {
        let names = Names::new(&testkit::prefix()).expect("a valid prefix");
        let gate = Gate::connect(&redis_url(), names.clone(), Duration::from_secs(5));
        let gate = gate.expect("a usable address");
        let store = Store::connect(&database_url(), &names, 2).expect("a database URL");
        store
            .migrate()
            .await
            .expect("PostgreSQL is needed: `scripts/servers start postgres`, or set DATABASE_URL");
        let category = NewCategory {
            name: "A".to_owned(),
            rows: 2,
            row_len: 10,
            price: Cents::new(PRICE).expect("valid"),
        };
        let hall = NewProgram::new("T".to_owned(), vec![category], 900_000, 100).expect("valid");
        let program = store.create_program(hall, None).await.expect("created");
        let raw = testkit::postgres::pool(&names.schema());
        let env = Self {
            names,
            gate,
            store,
            raw,
            program,
            folder: tempfile::TempDir::new().expect("a temporary folder"),
            next_offset: AtomicI64::new(0),
        };
        env.install().await;
        env
    }

    async fn install(&self) {
        let (at, loader) = (self.at(), Epoch::new(rand::random()));
        let claim = self.gate.install_claim(at, &loader, 60_000).await;
        let Ok(FillClaim::Granted(grant)) = claim else {
            panic!("no grant but {claim:?}")
        };
        let start = FillStart {
            grant: &grant,
            ends: "{}",
        };
        let begun = self
            .gate
            .install_begin(&self.program, Some(start), &loader, 60_000);
        begun.await.expect("begun");
        assert_eq!(self.gate.install_open(at, &loader).await, Ok(true));
    }

    fn at(&self) -> ProgramRef {
        ProgramRef::from(&self.program)
    }

    pub(crate) fn program(&self) -> String {
        self.program.id.to_string()
    }

    /// An accepted order, which is not stored yet.
    pub(crate) async fn accepted(&self, user: &str, seats: &[u32]) -> OrderRequested {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let ms = now.expect("after 1970").as_millis() as u64;
        let seat = |n: &u32| SeatIndex::new(*n).expect("valid");
        let request = OrderRequested {
            v: 1,
            order: OrderNumber::compose(ms, self.program.shard, rand::random()).expect("valid"),
            nonce: Nonce::new(rand::random()),
            user: UserId::new(user).expect("valid"),
            program: self.program.id,
            category: self.program.categories[0].no,
            seats: seats.iter().map(seat).collect(),
            unit_price_cents: Cents::new(PRICE).expect("valid"),
            amount_cents: Cents::new(PRICE * seats.len() as i64).expect("valid"),
            idempotency_key: None,
            idempotency_hash: None,
            pay_by_ms: ms as i64 + self.program.pay_window_ms,
            trace: None,
        };
        let want = SeatSelection::seats(request.category, request.seats.clone());
        let hold = HoldRequest {
            program: self.at(),
            order: request.order,
            nonce: request.nonce,
            user: request.user.clone(),
            want: want.expect("valid"),
            unit_price: request.unit_price_cents,
            user_limit: 100,
            idempotency: None,
            publish_window_ms: 900_000,
            idem_ttl_ms: 900_000,
            pay_by_ms: request.pay_by_ms,
            trace: None,
        };
        let held = self.gate.reserve(&hold).await.expect("Redis runs");
        assert!(matches!(held, Reserved::Held { .. }), "{held:?}");
        let at = OrderAt {
            order: request.order,
            nonce: request.nonce,
            program: self.at(),
        };
        let accepted = self.gate.accept(at, 0, 0, ms as i64, 900_000).await;
        assert_eq!(accepted, Ok(Accepted::Yes));
        request
    }

    /// A stored unpaid order by which the gate is settled.
    pub(crate) async fn unpaid(&self, user: &str, seats: &[u32]) -> OrderRequested {
        let request = self.accepted(user, seats).await;
        let topic = self.names.topic("order-create");
        let arrival = Arrival {
            topic: &topic,
            partition: 0,
            offset: self.next_offset.fetch_add(1, Ordering::Relaxed),
            appended_ms: None,
            key: None,
            value: Some(b"a record"),
            message: Ok(request.clone()),
        };
        let arrivals = [arrival];
        let stored = self.store.store_orders(&arrivals, 60_000).await;
        assert_eq!(stored.unfinished, None);
        self.settle(&request).await;
        request
    }

    /// An order that its buyer has cancelled, by which the gate is settled.
    pub(crate) async fn cancelled(&self, user: &str, seats: &[u32]) -> OrderRequested {
        let request = self.unpaid(user, seats).await;
        let cancel = self.store.cancel(request.order, &request.user).await;
        cancel.expect("Postgres runs");
        self.settle(&request).await;
        request
    }

    async fn settle(&self, request: &OrderRequested) {
        let rows = self.store.orders(&[request.order]).await;
        let rows = rows.expect("Postgres runs");
        let settled = reconcile(&self.gate, &self.store, &rows).await;
        assert_eq!(settled.expect("Postgres runs").settled, 1);
        // The batch of the order is settled as well.
        self.run("DELETE FROM unsettled").await;
    }

    pub(crate) async fn run(&self, sql: &str) {
        let statement = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        statement.execute(&self.raw).await.expect("statement");
    }

    /// Sends one command on a key of the program, or of its shard, to Redis.
    pub(crate) fn redis<T: FromRedisValue>(&self, command: &str, key: &str, words: &[&str]) -> T {
        let key = self.names.shard_key(self.program.shard, key);
        let all: Vec<&str> = [command, &key]
            .into_iter()
            .chain(words.iter().copied())
            .collect();
        let url = redis_url();
        testkit::redis::query(&url, &all).unwrap_or_else(|e| panic!("{all:?} at {url}: {e}"))
    }

    pub(crate) fn program_key(&self, part: &str) -> String {
        format!("program:{}:{part}", self.program.id)
    }

    /// Plants a seat's owner and its byte.
    pub(crate) fn plant_owner(&self, seat: u32, order: OrderNumber, nonce: Nonce) {
        let owner = format!("{order}:{nonce}");
        let seat = seat.to_string();
        let _: u64 = self.redis("HSET", &self.program_key("owner"), &[&seat, &owner]);
        let _: u64 = self.redis("SETRANGE", &self.program_key("seats:0:0"), &[&seat, "1"]);
    }

    pub(crate) fn remove_entry(&self, order: OrderNumber) {
        let order = order.to_string();
        let _: u64 = self.redis("ZREM", &format!("delay:{TIMEOUT_QUEUE}:due"), &[&order]);
        let _: u64 = self.redis("HDEL", &format!("delay:{TIMEOUT_QUEUE}:job"), &[&order]);
    }

    pub(crate) fn report(&self) -> PathBuf {
        self.folder.path().join("report.json")
    }

    /// Audits the running system, keeps the report, and returns the numbers of the checks that
    /// failed.
    pub(crate) fn audit(&self) -> Vec<String> {
        let mend = PathBuf::from(env!("CARGO_BIN_EXE_ticket-mend"));
        let mut audit = Command::new(mend.with_file_name("ticket-audit"));
        let audit = self.servers(&mut audit).args(["--pause", "0", "--json"]);
        let output = audit.output();
        let output = output.expect("cargo build --bin ticket-audit has made it");
        std::fs::write(self.report(), &output.stdout).expect("written");
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
        let checks = report["checks"].as_array().expect("checks").iter();
        let failed = checks.filter(|c| c["discrepancies"] != Value::Array(vec![]));
        let number = |c: &Value| c["number"].as_str().unwrap_or_default().to_owned();
        failed.map(number).collect()
    }

    fn servers<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .args(["--env", self.names.prefix()])
            .args(["--database-url", &database_url()])
            .args(["--redis-url", &redis_url()])
    }

    /// Runs `ticket-mend`; returns its exit code and what it printed.
    pub(crate) fn mend(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut mend = Command::new(env!("CARGO_BIN_EXE_ticket-mend"));
        let output: Output = self
            .servers(&mut mend)
            .args(arguments)
            .output()
            .expect("runs");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        (output.status.code(), text)
    }

    /// All keys of the environment with their content, all orders and unsettled batches.
    pub(crate) async fn everything(&self) -> (BTreeMap<String, Vec<u8>>, Vec<String>) {
        let url = redis_url();
        let pattern = format!("{}:*", self.names.prefix());
        let keys: Vec<String> = testkit::redis::query(&url, &["KEYS", &pattern]).expect("keys");
        let dump = |key: &String| testkit::redis::query(&url, &["DUMP", key]).expect("content");
        let content = keys.iter().map(|key| (key.clone(), dump(key))).collect();
        let orders = sqlx::query_scalar(
            "SELECT o::text FROM orders o UNION ALL SELECT u::text FROM unsettled u ORDER BY 1",
        );
        (content, orders.fetch_all(&self.raw).await.expect("orders"))
    }

    /// The audit finds `numbers`, a dry run names them and changes nothing, `--apply` repairs them,
    /// and a second one does nothing.
    pub(crate) async fn mends(&self, numbers: &[&str]) {
        assert_eq!(self.audit(), numbers);
        let report = self.report();
        let report = report.to_str().expect("UTF-8");
        let before = self.everything().await;
        let (code, dry) = self.mend(&[report]);
        assert_eq!(code, Some(0), "{dry}");
        for number in numbers {
            let planned = dry
                .lines()
                .any(|line| line.starts_with(&format!("would    {number} ")));
            assert!(planned, "{number} should be planned:\n{dry}");
        }
        assert_eq!(self.everything().await, before, "a dry run changes nothing");
        let (code, applied) = self.mend(&[report, "--apply"]);
        assert_eq!(code, Some(0), "{applied}");
        assert!(applied.contains("0 remain"), "{applied}");
        let mended = self.everything().await;
        assert_ne!(mended, before);
        let (code, again) = self.mend(&[report, "--apply"]);
        assert_eq!(code, Some(0), "{again}");
        assert!(again.contains("0 mended, 0 remain"), "{again}");
        assert_eq!(self.everything().await, mended);
        assert_eq!(self.audit(), [""; 0], "{applied}");
    }

    async fn clear(&self) {
        testkit::redis::remove_keys(&redis_url(), self.names.prefix()).expect("Redis runs");
        self.store.disconnect().await;
        drop_schema(&self.names.schema()).await;
    }
}
