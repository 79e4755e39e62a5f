//! A concern that hangs or is disabled affects no other.

use std::time::Duration;

use anyhow::Result;
use journeys::{Settings, TestEnvironment, until};
use sqlx::Connection;
use ticket_rush::api::SeatSelection;

const LONG: Duration = Duration::from_mins(10);
const ORDERS: usize = 30;

fn with(name: &'static str, value: &str) -> Settings {
    Settings {
        parameters: vec![(name, value.to_owned())],
        ..Settings::default()
    }
}

/// Places [`ORDERS`] orders and waits until all are stored.
async fn orders(env: &TestEnvironment) -> Result<()> {
    let program = env.sale(4, 20, LONG, 6).await?;
    for n in 0..ORDERS {
        let buyer = env.buyer(&format!("buyer-{n}"))?;
        let order = env
            .order(&buyer, &program, SeatSelection::Best(1), "k")
            .await?;
        if n == ORDERS - 1 {
            env.until_status(&buyer, &order.order, "unpaid").await?;
        }
    }
    let stored = "SELECT count(*) FROM orders WHERE status = 'unpaid'";
    until("every order is stored", async || {
        Ok((env.count(stored).await? == ORDERS as i64).then_some(()))
    })
    .await
}

/// Number of records that a function's mapping has completed.
async fn done(watch: &ticket_rush::host::StatusClient, function: &str) -> Result<u64> {
    Ok(watch
        .status()
        .await?
        .mapping(function)
        .map_or(0, |mapping| mapping.records_done))
}

#[tokio::test]
async fn a_hanging_collector_affects_no_order() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    // Every batch of the collector waits for this lock until it times out and is delivered again.
    let options = env.db.connect_options();
    let mut lock = sqlx::PgConnection::connect_with(&options).await?;
    let mut held = lock.begin().await?;
    sqlx::raw_sql("LOCK TABLE api_progress IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *held)
        .await?;
    let hangs =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'api_progress'::regclass";

    orders(&env).await?;
    until("the collector hangs", async || {
        Ok((env.count(hangs).await? > 0).then_some(()))
    })
    .await?;
    let watch = host.status_client();
    until("order-create has completed every order", async || {
        Ok((done(&watch, "OrderCreate").await? == ORDERS as u64).then_some(()))
    })
    .await?;
    assert_eq!(
        done(&watch, "ApiDataCollector").await?,
        0,
        "the collector has completed no record"
    );
    env.audited(&[]).await?;

    held.rollback().await?;
    until("the collector catches up", async || {
        Ok((env.collected().await?.0 >= ORDERS as i64).then_some(()))
    })
    .await?;
    host.stop().await?;
    env.remove().await
}

#[tokio::test]
async fn without_the_collector_calls_wait_in_kafka() -> Result<()> {
    let mut env = TestEnvironment::with(with("ApiDataCollectorEnabled", "false")).await?;
    let host = env.up().await?;
    orders(&env).await?;
    assert!(
        host.status_client()
            .status()
            .await?
            .mapping("ApiDataCollector")
            .is_none()
    );
    assert_eq!(env.collected().await?, (0, 0));
    host.stop().await?;
    // Once enabled again, the collector finds all of them.
    env.environment
        .parameters
        .retain(|(name, _)| name != "ApiDataCollectorEnabled");
    let host = env.up().await?;
    until("the earlier calls are collected", async || {
        Ok((env.collected().await?.0 >= ORDERS as i64).then_some(()))
    })
    .await?;
    env.audited(&[]).await?;
    host.stop().await?;
    env.remove().await
}

#[tokio::test]
async fn without_calls_orders_are_stored() -> Result<()> {
    let env = TestEnvironment::with(with("ApiCallsEnabled", "false")).await?;
    let host = env.up().await?;
    orders(&env).await?;
    // Calls of other producers are still collected.
    env.produce_calls(0, 100).await?;
    env.until_collected(100).await?;
    env.audited(&[]).await?;
    host.stop().await?;
    env.remove().await
}

#[tokio::test]
async fn without_order_create_orders_wait_in_kafka() -> Result<()> {
    let mut env = TestEnvironment::with(with("OrderCreateEnabled", "false")).await?;
    let host = env.up().await?;
    let program = env.sale(1, 10, LONG, 6).await?;
    let ann = env.buyer("ann")?;
    let order = env
        .order(&ann, &program, SeatSelection::Best(1), "k")
        .await?;
    until("the calls are collected", async || {
        Ok((env.collected().await?.0 >= 2).then_some(()))
    })
    .await?;
    assert_eq!(env.count("SELECT count(*) FROM orders").await?, 0);
    host.stop().await?;
    env.environment
        .parameters
        .retain(|(name, _)| name != "OrderCreateEnabled");
    let host = env.up().await?;
    env.until_status(&ann, &order.order, "unpaid").await?;
    env.audited(&[]).await?;
    host.stop().await?;
    env.remove().await
}
