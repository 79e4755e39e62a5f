//! The plan that Postgres keeps for a prepared statement. Connections live for half an hour, and a
//! sale may store most of its orders in that time, so a plan that is good for few orders stays in use
//! for many.

use shared::store::SESSION;
use sqlx::{AssertSqlSafe, Row};

use crate::environment::{Environment, with};

/// Statements that change orders by number, with the types and values of their arguments, and how
/// often they read the index of unpaid orders: closing may, for those that are overdue.
const BY_NUMBER: [(&str, &str, &str, usize); 5] = [
    (
        include_str!("../../src/store/sql/pay.sql"),
        "text, bigint, bigint",
        "'r', 1, 1",
        0,
    ),
    (
        include_str!("../../src/store/sql/cancel.sql"),
        "bigint, text",
        "1, 'alice'",
        0,
    ),
    (
        include_str!("../../src/store/sql/close_due.sql"),
        "bigint[], bytea[]",
        "'{1}', '{a}'",
        1,
    ),
    (
        include_str!("../../src/store/sql/payments_apply.sql"),
        "bigint[]",
        "'{1}'",
        0,
    ),
    (
        include_str!("../../src/store/sql/create_reject.sql"),
        "bigint[]",
        "'{1}'",
        0,
    ),
];

/// Stores ended orders, and collects statistics about them.
async fn ended_orders(env: &Environment, count: u32) {
    env.run(&format!(
        "INSERT INTO orders (number, nonce, status)
            SELECT n, decode(lpad(to_hex(n), 32, '0'), 'hex'), 'void'
            FROM generate_series(1, {count}) n;
         ANALYZE orders",
    ))
    .await;
}

#[tokio::test]
async fn no_plan_reads_all_unpaid_orders() {
    with(|env| async move {
        // None is unpaid when the plans are made, as before a sale.
        ended_orders(&env, 1000).await;
        for (sql, types, values, reads) in BY_NUMBER {
            let plan = plan(&env, sql, types, values).await;
            let found = plan.matches("orders_overdue").count();
            assert!(found <= reads, "{sql}\n{plan}");
        }
    })
    .await;
}

/// Statements that find orders by number, with the types and values of their arguments.
const FIND_BY_NUMBER: [(&str, &str, &str); 5] = [
    (
        include_str!("../../src/store/sql/create_end.sql"),
        "bigint[], bigint[], bigint[]",
        "'{1}', '{1}', '{1}'",
    ),
    (
        include_str!("../../src/store/sql/settled.sql"),
        "bigint[], bigint[], bigint[]",
        "'{1}', '{1}', '{1}'",
    ),
    (
        include_str!("../../src/store/sql/orders_newer.sql"),
        "bigint[], bigint[]",
        "'{1}', '{1}'",
    ),
    (
        include_str!("../../src/store/sql/orders_by_number.sql"),
        "bigint[]",
        "'{1}'",
    ),
    (
        include_str!("../../src/store/sql/unsettled_clear.sql"),
        "bigint, bigint[]",
        "1, '{1}'",
    ),
];

#[tokio::test]
async fn no_plan_reads_all_orders() {
    with(|env| async move {
        // Never analyzed; then as few orders as Postgres collects statistics about.
        for collected in [false, true] {
            if collected {
                ended_orders(&env, 60).await;
            }
            for (sql, types, values) in FIND_BY_NUMBER {
                let plan = plan(&env, sql, types, values).await;
                assert!(!plan.contains("Seq Scan on orders"), "{sql}\n{plan}");
                assert!(
                    plan.contains("using orders_pkey") || plan.contains("on orders_pkey"),
                    "{sql}\n{plan}"
                );
            }
        }
    })
    .await;
}

/// The plan for any arguments, under the settings of the store's connections.
async fn plan(env: &Environment, sql: &str, types: &str, values: &str) -> String {
    let mut connection = env.raw.acquire().await.expect("a connection");
    let settings = SESSION.map(|(name, value)| format!("SET {name} = '{value}';"));
    let settings = settings.concat();
    let prepare = format!(
        "{settings}
         SET plan_cache_mode = force_generic_plan;
         DEALLOCATE ALL;
         PREPARE planned ({types}) AS {sql}"
    );
    sqlx::raw_sql(AssertSqlSafe(prepare))
        .execute(&mut *connection)
        .await
        .expect("a statement");
    let explain = format!("EXPLAIN EXECUTE planned ({values})");
    let lines = sqlx::raw_sql(AssertSqlSafe(explain))
        .fetch_all(&mut *connection)
        .await
        .expect("a plan");
    let lines = lines.iter().map(|line| line.get::<String, _>(0));
    lines.collect::<Vec<_>>().join("\n")
}
