//! The rights of the roles by which functions and reports log in.

use shared::naming::Names;
use shared::store::{Roles, Store};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Either, Executor, SqlSafeStr, Statement};
use testkit::private_postgres::PrivatePostgres;

use crate::environment::{MIN_PAY_MS, arrival, look, new_program, order};

const WRITER: &str = "sale-writer";
const READER: &str = "sale_reader";

fn roles() -> Roles {
    Roles {
        writer: Some(WRITER.to_owned()),
        reader: Some(READER.to_owned()),
    }
}

fn store(server: &PrivatePostgres, role: &str) -> Store {
    let names = Names::new("rights").expect("a prefix");
    let url = server
        .url()
        .replace("127.0.0.1", &format!("{role}@127.0.0.1"));
    Store::connect(&url, &names, 2).expect("an address")
}

/// A connection that bypasses the store.
async fn raw(server: &PrivatePostgres, role: &str) -> PgConnection {
    let options: PgConnectOptions = server.url().parse().expect("an address");
    let options = options.username(role).options([("search_path", "rights")]);
    PgConnection::connect_with(&options)
        .await
        .expect("connected")
}

/// A migrated schema of the role `usher`, and the other roles with their rights.
async fn granted() -> PrivatePostgres {
    let server = PrivatePostgres::start().await;
    let create = format!("CREATE ROLE \"{WRITER}\" LOGIN; CREATE ROLE {READER} LOGIN");
    server.admin(&create).await;
    let owner = store(&server, "usher");
    let migrated = owner.migrate_for(&roles()).await.expect("migrated");
    assert_eq!(migrated.granted, [WRITER, READER]);
    server
}

async fn sqlstate(connection: &mut PgConnection, sql: &str) -> Option<String> {
    let sql = AssertSqlSafe(sql.to_owned());
    let error = connection.execute(sql).await.err()?;
    let code = error.as_database_error()?.code()?;
    Some(code.into_owned())
}

#[tokio::test]
async fn a_writer_may_run_every_statement_and_change_no_table() {
    let server = granted().await;
    let writer = store(&server, WRITER);
    let one = order("alice", 7, &[1]);
    let arrivals = [arrival(0, 0, &one)];
    let stored = writer.store_orders(&arrivals, MIN_PAY_MS).await;
    assert_eq!((stored.unfinished, stored.orders.len()), (None, 1));

    // A plan does not show that a sequence may be read.
    writer
        .create_program(new_program(), None)
        .await
        .expect("rights");

    let mut writer = raw(&server, WRITER).await;
    let folders = ["/src/store/sql", "/src/api_calls/store/sql"]
        .map(|folder| format!("{}{folder}", env!("CARGO_MANIFEST_DIR")));
    let files = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).expect("the statements"));
    let mut seen = 0;
    for file in files {
        let file = file.expect("an entry");
        let name = file.file_name().into_string().expect("UTF-8");
        if name.starts_with("migrate_") {
            continue;
        }
        let sql = std::fs::read_to_string(file.path()).expect("text");
        let prepared = writer
            .prepare(AssertSqlSafe(sql.clone()).into_sql_str())
            .await;
        let prepared = prepared.unwrap_or_else(|e| panic!("{name}: {e}"));
        let count = match prepared.parameters() {
            Some(Either::Left(types)) => types.len(),
            Some(Either::Right(count)) => count,
            None => 0,
        };
        // Postgres checks the rights before it shows the plan.
        let nulls = vec!["NULL"; count].join(", ");
        let nulls = if count == 0 {
            nulls
        } else {
            format!("({nulls})")
        };
        let explain = format!(
            "PREPARE statement AS {sql}; EXPLAIN EXECUTE statement{nulls}; DEALLOCATE statement"
        );
        let plan = sqlx::raw_sql(AssertSqlSafe(explain))
            .execute(&mut writer)
            .await;
        plan.unwrap_or_else(|e| panic!("{name}: {e}"));
        seen += 1;
    }
    assert!(seen > 30, "only {seen} statements were found");
    for forbidden in [
        "CREATE TABLE more (id int)",
        "ALTER TABLE orders ADD COLUMN more int",
        "DROP TABLE orders",
        "TRUNCATE orders",
        "DELETE FROM programs",
        "UPDATE migrations SET name = 'x'",
        "CREATE TABLE public.more (id int)",
        "SELECT setval('programs_id_seq', 1)",
    ] {
        let state = sqlstate(&mut writer, forbidden).await;
        assert_eq!(state.as_deref(), Some("42501"), "{forbidden}");
    }
}

#[tokio::test]
async fn a_reader_only_reads() {
    let server = granted().await;
    look(&store(&server, READER)).await.expect("reads");
    let mut reader = raw(&server, READER).await;
    for forbidden in [
        "UPDATE orders SET status = 'paid'",
        "DELETE FROM outbox",
        "INSERT INTO outbox DEFAULT VALUES",
        "SELECT FROM orders FOR UPDATE",
        "CREATE TABLE more (id int)",
        "SELECT nextval('programs_id_seq')",
    ] {
        let state = sqlstate(&mut reader, forbidden).await;
        assert_eq!(state.as_deref(), Some("42501"), "{forbidden}");
    }
}

#[tokio::test]
async fn rights_that_cannot_be_granted_are_reported() {
    let server = PrivatePostgres::start().await;
    let owner = store(&server, "usher");
    let missing = owner.migrate_for(&roles()).await.expect_err("no such role");
    let text = missing.to_string();
    assert!(
        text.contains(WRITER) && text.contains("DATABASE_WRITER_ROLE"),
        "{text}"
    );

    server
        .admin(&format!("CREATE ROLE \"{WRITER}\" LOGIN"))
        .await;
    owner.migrate().await.expect("migrated");
    // Tables of another owner: Postgres grants nothing and only warns.
    server
        .admin_in(
            "usher",
            "ALTER TABLE rights.orders OWNER TO postgres; \
             GRANT SELECT ON rights.orders TO usher",
        )
        .await;
    let roles = Roles {
        reader: None,
        ..roles()
    };
    let refused = owner.migrate_for(&roles).await.expect_err("not the owner");
    let text = refused.to_string();
    assert!(text.contains("owns"), "{text}");
}
