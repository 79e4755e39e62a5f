//! The environment of a test: a program on sale in gate and Postgres, and processes of the closer.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::AtomicU16;
use std::time::Duration;

use lambda_batch::Tick;
use redis::FromRedisValue;
use shared::access::Access;
use shared::config::Reader;
use shared::gate::{Epoch, FillBegun, FillClaim, FillStart, Gate, ProgramRef, TIMEOUT_QUEUE};
use shared::message::Cents;
use shared::naming::Names;
use shared::sale::{NewCategory, NewProgram, Program};
use shared::store::Store;
use sqlx::PgPool;
use testkit::postgres::drop_schema;
use testkit::servers::{cache_url, database_url, redis_url};
use testkit::with_cleanup;
use timeout_closer::{Closer, Settings, TickError, TickReport};

/// Log-append time of records whose time does not matter.
pub(crate) const APPENDED_MS: i64 = 1_800_000_000_000;
/// Price of a seat, cents.
pub(crate) const PRICE: i64 = 100;

/// Names, adapters and program of one test.
pub(crate) struct TestEnvironment {
    pub(crate) names: Names,
    pub(crate) gate: Gate,
    pub(crate) store: Store,
    /// Statements that bypass the store.
    pub(crate) raw: PgPool,
    pub(crate) program: Program,
    pub(crate) next: AtomicU16,
}

/// Runs a test with a program of `rows` times ten seats on sale, and removes its data afterwards.
pub(crate) async fn with<F: Future<Output = ()> + Send + 'static>(
    rows: u32,
    test: impl FnOnce(std::sync::Arc<TestEnvironment>) -> F + Send + 'static,
) {
    let env = std::sync::Arc::new(TestEnvironment::open(rows).await);
    with_cleanup(test(env.clone()), env.clear()).await;
}

impl TestEnvironment {
    async fn open(rows: u32) -> Self {
        let names = Names::new(&testkit::prefix()).expect("a valid prefix");
        let redis_url = redis_url();
        let database_url = database_url();
        let gate = Gate::connect(&redis_url, names.clone(), Duration::from_secs(5))
            .expect("a usable address");
        let store = Store::connect(&database_url, &names, 4).expect("a database URL");
        store
            .migrate()
            .await
            .expect("PostgreSQL is needed: `scripts/servers start postgres`, or set DATABASE_URL");
        let raw = testkit::postgres::pool(&names.schema());
        let program = store
            .create_program(hall(rows), None)
            .await
            .expect("created");
        let env = Self {
            names,
            gate,
            store,
            raw,
            program,
            next: AtomicU16::new(0),
        };
        env.install().await;
        env
    }

    /// Installs the program in the gate: all seats are free but those of reservations.
    pub(crate) async fn install(&self) {
        self.install_program(&self.program).await;
    }

    /// Installs any program in the gate.
    pub(crate) async fn install_program(&self, program: &Program) {
        let loader = self.begin_program(program, "{}").await;
        assert_eq!(
            self.gate
                .install_open(ProgramRef::from(program), &loader)
                .await,
            Ok(true)
        );
    }

    /// Begins to fill the gate, as a storefront that dies afterwards. Its lease does not expire
    /// within the test.
    pub(crate) async fn begin(&self, ends: &str) -> Epoch {
        self.begin_program(&self.program, ends).await
    }

    async fn begin_program(&self, program: &Program, ends: &str) -> Epoch {
        let loader = Epoch::new(rand::random());
        let claim = self
            .gate
            .install_claim(ProgramRef::from(program), &loader, 60_000)
            .await;
        let Ok(FillClaim::Granted(grant)) = claim else {
            panic!("no grant but {claim:?}")
        };
        let start = FillStart {
            grant: &grant,
            ends,
        };
        let begun = self
            .gate
            .install_begin(program, Some(start), &loader, 60_000)
            .await;
        assert!(matches!(begun, Ok(FillBegun::Mine { .. })), "{begun:?}");
        loader
    }

    pub(crate) fn at_program(&self) -> ProgramRef {
        ProgramRef::from(&self.program)
    }

    /// The environment of a closer process, with `more` variables.
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

    /// A closer process, with `more` variables.
    pub(crate) fn closer(&self, more: &[(&str, &str)]) -> Closer {
        let settings = Settings::read(&Reader::new(self.variables(more)));
        Closer::open(
            settings.expect("settings of a test are valid"),
            &Access::default(),
        )
        .expect("opens")
    }

    /// One tick of a new process. The first tick of a process always sweeps.
    pub(crate) async fn tick(&self) -> TickReport {
        tick(&self.closer(&[])).await.expect("the servers run")
    }

    pub(crate) async fn run(&self, sql: &'static str) {
        sqlx::raw_sql(sql)
            .execute(&self.raw)
            .await
            .expect("statement");
    }

    /// Free seats of the program in the gate.
    pub(crate) async fn free(&self) -> u32 {
        self.gate
            .availability(self.at_program())
            .await
            .expect("Redis runs")
            .expect("installed")
            .free[0]
            .1
    }

    /// Sends one command to Redis.
    #[allow(clippy::unused_async, reason = "the tests need no other form")]
    pub(crate) async fn redis<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let url = redis_url();
        testkit::redis::query(&url, words).unwrap_or_else(|e| {
            panic!("{words:?} at {url}: {e}; run `scripts/servers start redis`")
        })
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
        for url in [redis_url(), cache_url()] {
            testkit::redis::remove_keys(&url, self.names.prefix()).expect("Redis runs");
        }
        self.store.disconnect().await;
        drop_schema(&self.names.schema()).await;
    }
}

/// One tick with a time limit of a minute.
pub(crate) async fn tick(closer: &Closer) -> Result<TickReport, TickError> {
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
