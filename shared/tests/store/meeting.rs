//! Interleaves two transactions: a statement of the store is held at its end until the test has
//! committed another change.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres};
use testkit::servers::database_url;

use crate::environment::Environment;

/// Holds one UPDATE of a table, after it has looked for its rows and before the next statement of
/// its caller begins.
pub(crate) struct Meeting {
    /// The session that holds the lock.
    session: PgConnection,
    look: PoolConnection<Postgres>,
    lock: i32,
}

impl Meeting {
    /// The `nth` UPDATE of `table` from now on, counted from 1, whether or not it changes a row.
    pub(crate) async fn at(env: &Environment, table: &'static str, nth: u32) -> Self {
        let lock = rand::random::<i32>();
        let options: sqlx::postgres::PgConnectOptions =
            database_url().parse().expect("a database URL");
        let options = options.options([("search_path", env.names.schema())]);
        let mut session = PgConnection::connect_with(&options)
            .await
            .expect("Postgres runs");
        let sql = AssertSqlSafe(format!(
            "CREATE SEQUENCE updates;
             CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF nextval('updates') = {nth} THEN PERFORM pg_advisory_xact_lock_shared(10,
                 {lock}); END IF;
                 RETURN NULL;
             END $$;
             CREATE TRIGGER meet AFTER UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION meet();
             SELECT pg_advisory_lock(10, {lock})"
        ));
        sqlx::raw_sql(sql)
            .execute(&mut session)
            .await
            .expect("a trigger, and the lock it waits for");
        let look = env.raw.acquire().await.expect("Postgres runs");
        Self {
            session,
            look,
            lock,
        }
    }

    /// Waits until the statement is held.
    pub(crate) async fn reached(&mut self) {
        let sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' \
            AND objid = $1::bigint::oid AND NOT granted";
        let held = async {
            loop {
                let query = sqlx::query_scalar(sql).bind(i64::from(self.lock as u32));
                let waiting: i64 = query.fetch_one(&mut *self.look).await.expect("a number");
                if waiting > 0 {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), held)
            .await
            .expect("the statement ends at the trigger");
    }

    /// Releases the statement.
    pub(crate) async fn leave(mut self) {
        sqlx::query("SELECT pg_advisory_unlock(10, $1)")
            .bind(self.lock)
            .execute(&mut self.session)
            .await
            .expect("unlocked");
    }
}
