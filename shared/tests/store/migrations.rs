//! The schema, and every statement against it.

use shared::store::Store;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use crate::environment::{store_url, with};

#[tokio::test]
async fn migrating_again_changes_nothing() {
    with(|env| async move {
        let again = env.store.migrate().await.expect("postgres");
        assert_eq!(again.applied, Vec::<String>::new());
        let version = env
            .number("SELECT max(version)::bigint FROM migrations")
            .await;
        assert_eq!(
            (again.schema, i64::from(again.version)),
            (env.names.schema(), version)
        );
    })
    .await;
}

#[tokio::test]
async fn concurrent_migrations_apply_everything_once() {
    with(|env| async move {
        let schema = AssertSqlSafe(format!("DROP SCHEMA {} CASCADE", env.names.schema()));
        env.raw.execute(schema).await.expect("dropped");
        let runs: Vec<_> = (0..4)
            .map(|_| {
                let store = Store::connect(&store_url(), &env.names, 1).expect("a database URL");
                tokio::spawn(async move { store.migrate().await.expect("migrated").applied.len() })
            })
            .collect();
        let mut applied = 0;
        for run in runs {
            applied += run.await.expect("ran");
        }
        assert_eq!(
            applied as i64,
            env.number("SELECT count(*) FROM migrations").await
        );
    })
    .await;
}

#[tokio::test]
async fn a_schema_whose_migration_was_edited_is_refused() {
    with(|env| async move {
        env.run("UPDATE migrations SET hash = decode('00', 'hex')")
            .await;
        let error = env.store.migrate().await.expect_err("refused").to_string();
        assert!(
            error.contains("migration 1") && error.contains(&env.names.schema()),
            "{error}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_unmigrated_environment_names_the_remedy() {
    with(|env| async move {
        env.run("DROP TABLE orders").await;
        let error = env
            .store
            .order(crate::environment::number())
            .await
            .expect_err("no table")
            .to_string();
        assert!(
            error.contains("42P01") && error.contains("Migrate"),
            "{error}"
        );
    })
    .await;
}

#[tokio::test]
async fn every_statement_fits_schema_and_contract() {
    with(|env| async move {
        let folders = ["/src/store/sql", "/src/api_calls/store/sql"]
            .map(|folder| format!("{}{folder}", env!("CARGO_MANIFEST_DIR")));
        let entries = folders
            .iter()
            .flat_map(|folder| std::fs::read_dir(folder).expect("the statements"));
        let mut seen = 0;
        for entry in entries {
            let path = entry.expect("entry").path();
            let sql = std::fs::read_to_string(&path).expect("text");
            assert!(
                sql.starts_with("-- ") && sql.contains("\n-- Arguments"),
                "{} has no contract",
                path.display()
            );
            let prepared = env.raw.prepare(AssertSqlSafe(sql).into_sql_str()).await;
            assert!(
                prepared.is_ok(),
                "{}: {}",
                path.display(),
                prepared.err().map(|e| e.to_string()).unwrap_or_default()
            );
            seen += 1;
        }
        assert!(seen > 30, "only {seen} statements were found");
    })
    .await;
}

#[tokio::test]
async fn every_index_has_its_reason_in_the_docs() {
    with(|env| async move {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/postgres.md");
        let docs = std::fs::read_to_string(docs).expect("the reference of the tables");
        let sql = "SELECT indexname::text FROM pg_indexes WHERE schemaname = $1 ORDER BY 1";
        let indexes: Vec<String> = sqlx::query_scalar(sql)
            .bind(env.names.schema())
            .fetch_all(&env.raw)
            .await
            .expect("the indexes");
        let (_, section) = docs.split_once("\n## Indexes\n").expect("the section");
        let section = section.split("\n## ").next().unwrap_or_default();
        let missing = indexes
            .iter()
            .filter(|index| !section.contains(&format!("`{index}`")));
        assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new());
        assert!(indexes.len() > 30, "{indexes:?}");
    })
    .await;
}
