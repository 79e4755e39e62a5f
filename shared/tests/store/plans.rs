//! The plan that Postgres keeps for a prepared statement. Connections live for half an hour, and a
//! sale may store most of its orders in that time, so a plan that is good for few orders stays in use
//! for many.

use sqlx::{AssertSqlSafe, Row};

use crate::environment::with;

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

#[tokio::test]
async fn no_plan_reads_all_unpaid_orders() {
    with(|env| async move {
        // None is unpaid when the plans are made, as before a sale.
        env.run(
            "INSERT INTO orders (number, nonce, status)
                SELECT n, decode(lpad(to_hex(n), 32, '0'), 'hex'), 'void'
                FROM generate_series(1, 1000) n;
             ANALYZE orders",
        )
        .await;
        let mut connection = env.raw.acquire().await.expect("a connection");
        for (at, (sql, types, values, reads)) in BY_NUMBER.iter().enumerate() {
            let prepare = format!(
                "SET plan_cache_mode = force_generic_plan;
                 PREPARE statement_{at} ({types}) AS {sql}"
            );
            sqlx::raw_sql(AssertSqlSafe(prepare))
                .execute(&mut *connection)
                .await
                .expect("a statement");
            let explain = format!("EXPLAIN EXECUTE statement_{at} ({values})");
            let plan = sqlx::raw_sql(AssertSqlSafe(explain))
                .fetch_all(&mut *connection)
                .await
                .expect("a plan");
            let lines = plan.iter().map(|line| line.get::<String, _>(0));
            let plan = lines.collect::<Vec<_>>().join("\n");
            let found = plan.matches("orders_overdue").count();
            assert!(found <= *reads, "{sql}\n{plan}");
        }
    })
    .await;
}
