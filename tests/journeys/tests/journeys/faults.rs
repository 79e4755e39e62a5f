//! Killed processes and a stopped Kafka lose and duplicate no order.

use std::time::{Duration, Instant};

use anyhow::Result;
use journeys::{Settings, TestEnvironment, until};
use testkit::kafka::PrivateKafka;
use ticket_rush::api::SeatSelection;
use ticket_rush::kill::kill_busy;
use tokio::task::JoinSet;

const LONG: Duration = Duration::from_mins(10);

/// Thirty concurrent buyers order one seat each; returns buyers and order numbers.
async fn rush(
    env: &TestEnvironment,
    program: &str,
) -> Result<Vec<(ticket_rush::api::Buyer, String)>> {
    let mut buyers = JoinSet::new();
    for n in 0..30 {
        let api = env.api.clone();
        let buyer = env.buyer(&format!("buyer-{n}"))?;
        let program = program.to_owned();
        buyers.spawn(async move {
            let answer = api
                .order(&buyer, &program, 0, &SeatSelection::Best(1), Some("k"), 0)
                .await;
            (buyer, answer.order())
        });
    }
    let mut orders = Vec::new();
    for (buyer, first) in buyers.join_all().await {
        // A buyer without an answer repeats the request with the same key.
        let order = until("an order is accepted", async || match &first {
            Some(order) => Ok(Some(order.clone())),
            None => Ok(env
                .api
                .order(&buyer, program, 0, &SeatSelection::Best(1), Some("k"), 0)
                .await
                .order()),
        })
        .await?;
        orders.push((buyer, order.order));
    }
    Ok(orders)
}

#[tokio::test]
async fn a_killed_order_create_stores_each_order_once() -> Result<()> {
    let one = Settings {
        parameters: vec![("OrderCreateConcurrency", "1".to_owned())],
        ..Settings::default()
    };
    let env = TestEnvironment::with(one).await?;
    let host = env.up().await?;
    let program = env.sale(4, 20, LONG, 6).await?;
    let warm = env.buyer("warm")?;
    let first = env
        .order(&warm, &program, SeatSelection::Best(1), "k")
        .await?;
    env.until_status(&warm, &first.order, "unpaid").await?;
    let watch = host.status_client();
    let (killed, orders) = tokio::join!(
        kill_busy(&watch, "OrderCreate", Duration::ZERO),
        rush(&env, &program)
    );
    assert!(killed?.records > 0, "it was killed with records in flight");
    for (buyer, order) in orders? {
        env.until_status(&buyer, &order, "unpaid").await?;
    }
    assert_eq!(env.count("SELECT count(*) FROM orders").await?, 31);
    env.audited(&[]).await?;
    host.stop().await?;
    env.remove().await
}

#[tokio::test]
async fn a_killed_usher_resumes_after_its_restart() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let program = env.sale(4, 20, LONG, 6).await?;
    let orders = rush(&env, &program).await?;
    let functions: Vec<u32> = host.status_client().status().await?.processes().collect();
    host.kill().await?;
    until("the functions of a killed host are gone", async || {
        let alive = functions
            .iter()
            .filter(|pid| std::path::Path::new(&format!("/proc/{pid}")).exists())
            .count();
        Ok((alive == 0).then_some(()))
    })
    .await?;
    let host = env.up().await?;
    for (buyer, order) in &orders {
        env.until_status(buyer, order, "unpaid").await?;
    }
    env.until_free(&program, 50).await?;
    env.audited(&[]).await?;
    host.stop().await?;
    env.remove().await
}

#[tokio::test]
async fn without_kafka_orders_are_refused_in_time() -> Result<()> {
    let kafka = PrivateKafka::start();
    let env = TestEnvironment::with(Settings {
        brokers: Some(kafka.brokers()),
        ..Settings::default()
    })
    .await?;
    let host = env.up().await?;
    let program = env.sale(1, 10, LONG, 6).await?;
    let ann = env.buyer("ann")?;
    let bob = env.buyer("bob")?;
    let before = env
        .order(&ann, &program, SeatSelection::Seats(vec![0, 1]), "k1")
        .await?;
    env.until_status(&ann, &before.order, "unpaid").await?;

    kafka.stop();
    let began = Instant::now();
    let refused = env
        .api
        .order(
            &bob,
            &program,
            0,
            &SeatSelection::Seats(vec![5, 6]),
            Some("k1"),
            0,
        )
        .await;
    assert_eq!(refused.http, 503, "{}", refused.body);
    assert!(
        refused.retry_after.is_some(),
        "503 without Retry-After: {}",
        refused.body
    );
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "the broker has 1.5 s; the answer took {:?}",
        began.elapsed()
    );
    env.until_free(&program, 8).await?;
    assert_eq!(
        env.api.pay(&before.order, "p1", 2000).await.text("result"),
        Some("applied"),
        "paying needs no Kafka"
    );

    kafka.start_again();
    let order = until("the same request is accepted", async || {
        Ok(env
            .api
            .order(
                &bob,
                &program,
                0,
                &SeatSelection::Seats(vec![5, 6]),
                Some("k1"),
                0,
            )
            .await
            .order())
    })
    .await?;
    env.until_status(&bob, &order.order, "unpaid").await?;
    env.audited(&[]).await?;
    host.stop().await?;
    env.remove().await
}
