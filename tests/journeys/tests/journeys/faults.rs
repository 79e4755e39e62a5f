//! Things die; nothing is lost, nothing is doubled.

use std::time::{Duration, Instant};

use anyhow::Result;
use journeys::{Settings, World, until};
use testkit::kafka::PrivateKafka;
use ticket_rush::fault::kill_at_work;
use ticket_rush::shop::Want;
use tokio::task::JoinSet;

const LONG: Duration = Duration::from_mins(10);

/// Thirty buyers at once, each with one order of one seat; gives buyers and numbers.
async fn rush(world: &World, program: &str) -> Result<Vec<(ticket_rush::shop::Buyer, String)>> {
    let mut buyers = JoinSet::new();
    for n in 0..30 {
        let shop = world.shop.clone();
        let buyer = world.buyer(&format!("buyer-{n}"))?;
        let program = program.to_owned();
        buyers.spawn(async move {
            let answer = shop
                .order(&buyer, &program, 0, &Want::Best(1), Some("k"), 0)
                .await;
            (buyer, answer.order())
        });
    }
    let mut orders = Vec::new();
    for (buyer, first) in buyers.join_all().await {
        // Who was not answered asks again with the same key.
        let order = until("an order is accepted", async || match &first {
            Some(order) => Ok(Some(order.clone())),
            None => Ok(world
                .shop
                .order(&buyer, program, 0, &Want::Best(1), Some("k"), 0)
                .await
                .order()),
        })
        .await?;
        orders.push((buyer, order.order));
    }
    Ok(orders)
}

#[tokio::test]
async fn order_create_killed_while_it_works_loses_and_doubles_nothing() -> Result<()> {
    let one = Settings {
        parameters: vec![("OrderCreateConcurrency", "1".to_owned())],
        ..Settings::default()
    };
    let world = World::with(one).await?;
    let host = world.up().await?;
    let program = world.sale(4, 20, LONG, 6).await?;
    let warm = world.buyer("warm")?;
    let first = world.order(&warm, &program, Want::Best(1), "k").await?;
    world.until_status(&warm, &first.order, "unpaid").await?;
    let watch = host.watch();
    let (killed, orders) = tokio::join!(
        kill_at_work(&watch, "OrderCreate", Duration::ZERO),
        rush(&world, &program)
    );
    assert!(killed?.records > 0, "it was killed with records in flight");
    for (buyer, order) in orders? {
        world.until_status(&buyer, &order, "unpaid").await?;
    }
    assert_eq!(world.count("SELECT count(*) FROM orders").await?, 31);
    world.audited(&[]).await?;
    host.stop().await?;
    world.remove().await
}

#[tokio::test]
async fn usher_killed_and_started_again_goes_on_where_it_was() -> Result<()> {
    let world = World::new().await?;
    let host = world.up().await?;
    let program = world.sale(4, 20, LONG, 6).await?;
    let orders = rush(&world, &program).await?;
    let functions: Vec<u32> = host.watch().status().await?.processes().collect();
    host.kill().await?;
    until("the functions of a killed host are gone", async || {
        let alive = functions
            .iter()
            .filter(|pid| std::path::Path::new(&format!("/proc/{pid}")).exists())
            .count();
        Ok((alive == 0).then_some(()))
    })
    .await?;
    let host = world.up().await?;
    for (buyer, order) in &orders {
        world.until_status(buyer, order, "unpaid").await?;
    }
    world.until_free(&program, 50).await?;
    world.audited(&[]).await?;
    host.stop().await?;
    world.remove().await
}

#[tokio::test]
async fn while_kafka_is_away_buyers_are_sent_away_in_time_and_their_seats_come_back() -> Result<()>
{
    let kafka = PrivateKafka::start();
    let world = World::with(Settings {
        brokers: Some(kafka.brokers()),
        ..Settings::default()
    })
    .await?;
    let host = world.up().await?;
    let program = world.sale(1, 10, LONG, 6).await?;
    let ann = world.buyer("ann")?;
    let bob = world.buyer("bob")?;
    let before = world
        .order(&ann, &program, Want::Seats(vec![0, 1]), "k1")
        .await?;
    world.until_status(&ann, &before.order, "unpaid").await?;

    kafka.stop();
    let began = Instant::now();
    let refused = world
        .shop
        .order(&bob, &program, 0, &Want::Seats(vec![5, 6]), Some("k1"), 0)
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
    world.until_free(&program, 8).await?;
    assert_eq!(
        world
            .shop
            .pay(&before.order, "p1", 2000)
            .await
            .text("result"),
        Some("applied"),
        "paying needs no Kafka"
    );

    kafka.start_again();
    let order = until("the same request is accepted", async || {
        Ok(world
            .shop
            .order(&bob, &program, 0, &Want::Seats(vec![5, 6]), Some("k1"), 0)
            .await
            .order())
    })
    .await?;
    world.until_status(&bob, &order.order, "unpaid").await?;
    world.audited(&[]).await?;
    host.stop().await?;
    world.remove().await
}
