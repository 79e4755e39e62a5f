//! A process that is stopped longer than its reads are recent, then resumed, by signals.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use shared::message::{Cents, ProgramChanged, ProgramId, ProgramVersion};
use shared::sale::{NewCategory, NewProgram, ProgramChange};
use shared::store::{Changed, Store};
use sqlx::AssertSqlSafe;

use super::environment::{TestEnvironment, cache_url};

/// How long a read of the instance counts as recent.
const FRESH_MS: u64 = 300;

/// A running `examples/program_reader.rs`.
struct Instance {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Instance {
    fn start(environment: &TestEnvironment) -> Self {
        let mut child = Command::new(program_reader())
            .env("ENV_PREFIX", environment.names.prefix())
            .env("REDIS_CACHE_URL", cache_url())
            .env("DATABASE_URL", database_url())
            .env("PROGRAM_CACHE_READER", "true")
            .env("PROGRAM_CACHE_TTL_MS", "3600000")
            .env("PROGRAM_CACHE_FRESH_MS", FRESH_MS.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the instance starts");
        let asks = child.stdin.take().expect("piped");
        let answers = child.stdout.take().expect("piped");
        Self {
            child,
            asks,
            answers: BufReader::new(answers),
        }
    }

    /// The version it serves, and whether it did so from memory.
    fn read(&mut self, program: ProgramId) -> (i64, bool) {
        self.query(program);
        self.answer()
    }

    fn query(&mut self, program: ProgramId) {
        writeln!(self.asks, "{program}").expect("it listens");
    }

    fn answer(&mut self) -> (i64, bool) {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("it answers");
        let (version, from) = line
            .trim()
            .split_once(' ')
            .unwrap_or_else(|| panic!("it said {line:?}"));
        (version.parse().expect("a version"), from == "memory")
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(done.success());
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The executable of `examples/program_reader.rs`, built beside this test.
fn program_reader() -> PathBuf {
    let test = std::env::current_exe().expect("this test's own path");
    let folder = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    let path = folder.join("examples/program_reader");
    assert!(
        path.is_file(),
        "{} is missing: cargo build --workspace --examples",
        path.display()
    );
    path
}

fn database_url() -> String {
    std::env::var("DATABASE_URL")
        .unwrap_or_else(|_| "postgres://usher:usher@127.0.0.1:15432/usher".to_owned())
}

/// What is shown needs this time to pass: the instance must not count as fresh any more.
const LONG_ENOUGH: Duration = Duration::from_millis(FRESH_MS + 50);

#[tokio::test]
async fn an_instance_that_was_stopped_never_serves_after_it_wakes_what_changed_meanwhile() {
    stopped(&[LONG_ENOUGH; 8]).await;
}

/// By then its connections may have ended, too.
#[tokio::test]
async fn an_instance_that_was_stopped_for_a_minute_wakes_to_the_present_as_well() {
    stopped(&[Duration::from_secs(60)]).await;
}

/// Stops an instance once for each of these times, changes a program meanwhile, wakes it and reads.
async fn stopped(stops: &[Duration]) {
    let environment = TestEnvironment::open();
    let store = Store::connect(&database_url(), &environment.names, 2).expect("a database URL");
    store
        .migrate()
        .await
        .expect("PostgreSQL is needed: `scripts/servers start postgres`, or set DATABASE_URL");
    let category = NewCategory {
        name: "All".into(),
        rows: 1,
        row_len: 10,
        price: Cents::new(100).expect("valid"),
    };
    let new = NewProgram::new("Autumn tour".into(), vec![category], 900_000, 6).expect("valid");
    let id = store.create_program(new, None).await.expect("created").id;
    let mut instance = Instance::start(&environment);
    let mut from_memory = 0;
    for (version, stop) in (1_i64..).zip(stops) {
        // Until it serves from memory, as it does when nothing is wrong.
        let kept = loop {
            let (served, kept) = instance.read(id);
            assert_eq!(served, version);
            if kept {
                break kept;
            }
        };
        from_memory += u32::from(kept);
        instance.signal("STOP");
        let expected = ProgramVersion::new(version).expect("valid");
        let title = ProgramChange::new(Some(format!("Tour, {version}")), None, None, vec![])
            .expect("valid");
        let changed = store
            .update_program(id, expected, &title)
            .await
            .expect("Postgres runs");
        let Changed::Done(program) = changed else {
            panic!("{changed:?}")
        };
        environment
            .invalidate(ProgramChanged {
                id,
                version: program.version,
            })
            .await;
        tokio::time::sleep(*stop).await;
        // The request waits in the pipe, so that the reply is the first thing it does.
        instance.query(id);
        instance.signal("CONT");
        let (served, _) = instance.answer();
        assert_eq!(served, version + 1, "it served an outdated version");
    }
    assert_eq!(from_memory as usize, stops.len());
    drop(instance);
    let drop = AssertSqlSafe(format!(
        "DROP SCHEMA {} CASCADE",
        environment.names.schema()
    ));
    let raw = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy(&database_url())
        .expect("a database URL");
    store.disconnect().await;
    sqlx::raw_sql(drop)
        .execute(&raw)
        .await
        .expect("schema dropped");
}
