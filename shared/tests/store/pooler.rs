//! The store behind `PgBouncer` in transaction mode: each transaction of a client runs in any session
//! of the server, and names of prepared statements mean nothing.

use std::env;
use std::process::Stdio;
use std::time::Duration;

use shared::naming::Names;
use shared::store::Store;
use sqlx::postgres::PgConnectOptions;
use testkit::pgbouncer::{Behind, PgBouncer};
use testkit::private_postgres::PrivatePostgres;
use testkit::servers::database_url;
use tokio::process::Command;

use crate::environment::{behind_a_pooler, look, with};

/// The server of `scripts/servers`.
async fn pooler(sessions: u32, settings: &str) -> PgBouncer {
    let options: PgConnectOptions = database_url().parse().expect("a database URL");
    let behind = Behind {
        port: options.get_port(),
        user: "usher",
        password: "usher",
    };
    PgBouncer::start(behind, sessions, settings).await
}

fn url(pooler: &PgBouncer) -> String {
    format!("postgres://usher:usher@127.0.0.1:{}/usher", pooler.port())
}

/// `PgBouncer` refuses startup options, or drops them if it is configured to.
const SETTINGS: [&str; 2] = ["", "ignore_startup_parameters = options"];

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_created_in_the_schema_of_the_environment() {
    for settings in SETTINGS {
        let pooler = pooler(3, settings).await;
        with(|env| async move {
            let schema = env.names.schema();
            env.run(&format!("DROP SCHEMA {schema} CASCADE")).await;
            let store = Store::connect(&url(&pooler), &env.names, 4).expect("a URL");
            let migrated = store.migrate().await.expect("migrated");
            assert_eq!(migrated.schema, schema);
            let elsewhere = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'
                 AND tablename IN ('orders', 'migrations')";
            assert_eq!(env.number(elsewhere).await, 0);
            let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()";
            assert!(env.number(tables).await > 10);
            look(&store).await.expect("the tables");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_have_the_settings_of_a_session() {
    let pooler = pooler(2, SETTINGS[1]).await;
    with(|env| async move {
        let store = Store::connect(&url(&pooler), &env.names, 4).expect("a URL");
        let mut lock = env.raw.begin().await.expect("postgres");
        sqlx::query("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            .execute(&mut *lock)
            .await
            .expect("locked");
        let waits = tokio::time::timeout(Duration::from_secs(15), look(&store)).await;
        let error = waits.expect("bounded").expect_err("locked");
        assert_eq!(error.sqlstate.as_deref(), Some("55P03"), "lock_timeout");
    })
    .await;
}

#[tokio::test]
async fn settings_of_the_role_are_not_sent_again() {
    let logging = "log_min_messages = log\nlog_statement = 'all'";
    let server = PrivatePostgres::with_settings(logging).await;
    let names = Names::new("pooled").expect("a prefix");
    let behind = Behind {
        port: server.port(),
        user: "usher",
        password: "any",
    };
    let uses = async || {
        // Its sessions are opened after the settings of the role were changed.
        let pooler = PgBouncer::start(behind, 1, "").await;
        let store = Store::connect(&url(&pooler), &names, 1).expect("a URL");
        store.migrate().await.expect("migrated");
        look(&store).await.expect("the tables");
    };
    uses().await;
    let log = server.log();
    assert!(log.contains("SET LOCAL search_path = 'pooled'"), "{log}");

    for (name, value) in shared::store::SESSION {
        let alter = format!("ALTER ROLE usher SET {name} = '{value}'");
        server.admin(&alter).await;
    }
    let alter = "ALTER ROLE usher SET search_path = pooled";
    server.admin(alter).await;
    let before = server.log().len();
    uses().await;
    let log = server.log().split_off(before);
    assert!(
        log.contains("BEGIN ISOLATION LEVEL READ COMMITTED"),
        "{log}"
    );
    assert!(!log.contains("SET LOCAL search_path"), "{log}");
    assert!(!log.contains("SET LOCAL jit"), "{log}");
}

/// Names of the tests that need sessions of their own: they look at sessions from outside, or count
/// connections and statements. Or have servers of their own.
const OF_SESSIONS: [&str; 8] = [
    "connections::",
    "failover::",
    "statements::",
    "tls::",
    "pooler::",
    "replaced::",
    "roles::",
    "outage::a_lost_idle",
];

#[tokio::test]
async fn every_other_test_passes_behind_a_pooler() {
    if behind_a_pooler() {
        return;
    }
    let pooler = pooler(12, SETTINGS[1]).await;
    let mut again = Command::new(env::current_exe().expect("this program"));
    again
        .env("STORE_URL", url(&pooler))
        .env("RUST_BACKTRACE", "0");
    for name in OF_SESSIONS {
        again.args(["--skip", name]);
    }
    again.stdin(Stdio::null()).kill_on_drop(true);
    let ended = again.output().await.expect("the tests run");
    let text = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{text}");
    assert!(text.matches("... ok").count() > 80, "{text}");
}
