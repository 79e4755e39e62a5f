//! The sale on servers as companies have them: over TLS with logins, and through failovers.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use journeys::{ServerSet, Settings, TestEnvironment, until};
use ticket_rush::api::{PlacedOrder, SeatSelection};
use ticket_rush::moving_address::MovingAddress;

const LONG: Duration = Duration::from_mins(10);
/// Within this time after a primary was killed, requests succeed again: the goal is five seconds,
/// and other tests use the machine as well.
const RECOVERY: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_over_tls_passes_its_audit() -> Result<()> {
    let set = tokio::task::spawn_blocking(ServerSet::with_tls).await??;
    let env = TestEnvironment::with(Settings {
        servers: Some(set.servers()?),
        ..Settings::default()
    })
    .await?;
    let host = env.up().await?;
    let program = env.sale(1, 10, LONG, 6).await?;
    let ann = env.buyer("ann")?;
    let seats = SeatSelection::Seats(vec![0, 1]);
    let order = env.order(&ann, &program, seats, "k1").await?;
    env.until_status(&ann, &order.order, "unpaid").await?;
    let paid = env.api.pay(&order.order, "p1", order.amount_cents).await;
    assert_eq!(paid.text("result"), Some("applied"), "{}", paid.body);
    let mut list = env.environment.usher_with(&["parked", "list"])?;
    let output = list.output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    env.audited(&[]).await?;
    host.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn failovers_of_gate_and_database_lose_nothing() -> Result<()> {
    let set = tokio::task::spawn_blocking(ServerSet::with_replicas).await??;
    let mut servers = set.servers()?;
    let address = MovingAddress::before(&mut servers).await?;
    let env = TestEnvironment::with(Settings {
        servers: Some(servers.clone()),
        ..Settings::default()
    })
    .await?;
    let host = env.up().await?;
    let program = env.sale(1, 20, LONG, 6).await?;
    let before = placed(&env, &program, "before").await?;

    let primary = servers.gate_url().await?;
    set.run(&["kill", "gate1"])?;
    let killed = Instant::now();
    let between = placed(&env, &program, "between").await?;
    assert!(killed.elapsed() < RECOVERY, "{:?}", killed.elapsed());
    assert_ne!(servers.gate_url().await?, primary);

    set.run(&["kill", "database1"])?;
    let killed = Instant::now();
    set.run(&["promote", "database2"])?;
    address.lead_to(set.variable("DATABASE_STANDBY_PORT")?.parse()?);
    let after = placed(&env, &program, "after").await?;
    assert!(killed.elapsed() < RECOVERY, "{:?}", killed.elapsed());

    for order in [before, between, after] {
        let reference = format!("pay-{}", order.order);
        let paid = until("the payment is applied", async || {
            let answer = env.api.pay(&order.order, &reference, order.amount_cents);
            let answer = answer.await;
            Ok(answer.text("result").map(str::to_owned))
        });
        let result = paid.await?;
        assert!(result == "applied" || result == "duplicate", "{result}");
    }
    env.audited(&[]).await?;
    host.stop().await
}

/// Repeats an order, as a buyer does, until it is accepted, then waits until it is stored.
async fn placed(env: &TestEnvironment, program: &str, user: &str) -> Result<PlacedOrder> {
    let buyer = env.buyer(user)?;
    let order = until("an order is accepted", async || {
        let one = SeatSelection::Best(1);
        let answer = env.api.order(&buyer, program, 0, &one, Some("k"), 0).await;
        Ok(answer.order())
    });
    let order = order.await.with_context(|| format!("{user} orders"))?;
    env.until_status(&buyer, &order.order, "unpaid").await?;
    Ok(order)
}
