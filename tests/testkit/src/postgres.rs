//! Access to the shared Postgres that bypasses the code under test.

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::servers::database_url;

/// A pool of at most two connections to one schema. It connects when it is first used.
pub fn pool(schema: &str) -> PgPool {
    let options: PgConnectOptions = database_url().parse().expect("a database URL");
    PgPoolOptions::new()
        .max_connections(2)
        .connect_lazy_with(options.options([("search_path", schema)]))
}

/// Drops a schema with everything in it.
pub async fn drop_schema(schema: &str) {
    let statement = format!("DROP SCHEMA IF EXISTS {schema} CASCADE");
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&pool(schema))
        .await
        .expect("schema dropped");
}
