//! Buyers who wait for their order leave concurrency for the orders of others.

use std::time::Duration;

use anyhow::Result;
use journeys::{Settings, TestEnvironment, until};
use ticket_rush::api::SeatSelection;
use ticket_rush::application::ManagedFunction;

/// Number of waiting buyers, and of orders that storefront takes at a time.
const WAITING: usize = 4;
/// The number of no order: a payment for it is recorded as unmatched.
const NO_ORDER: &str = "4611686018427387905";

#[tokio::test]
async fn waiting_buyers_leave_concurrency_for_orders() -> Result<()> {
    one_of_four_waits(Vec::new()).await
}

/// All four requests are at the same time in the one process.
#[tokio::test]
async fn waiting_buyers_share_their_process_with_orders() -> Result<()> {
    let storefront = ManagedFunction {
        function: "Storefront",
        max_concurrency: WAITING as u32,
        instances: 1,
    };
    one_of_four_waits(vec![storefront]).await
}

async fn one_of_four_waits(managed: Vec<ManagedFunction>) -> Result<()> {
    // No order is stored, so every wait lasts for its whole time.
    let parameters = vec![
        ("StorefrontConcurrency", WAITING.to_string()),
        ("OrderCreateEnabled", "false".to_owned()),
    ];
    let env = TestEnvironment::with(Settings {
        parameters,
        managed: Some(managed),
        ..Settings::default()
    })
    .await?;
    let host = env.up().await?;
    let program = env.sale(1, 10, Duration::from_mins(10), 6).await?;
    let wait = |user: &str, seconds: u32| -> Result<_> {
        let api = env.api.clone();
        let buyer = env.buyer(user)?;
        let program = program.clone();
        Ok(tokio::spawn(async move {
            api.order(
                &buyer,
                &program,
                0,
                &SeatSelection::Best(1),
                Some("k"),
                seconds,
            )
            .await
        }))
    };
    let first = wait("ann", 20)?;
    until("the first order is published", async || {
        Ok((env.published().await? >= 1).then_some(()))
    })
    .await?;
    assert_eq!(env.api.pay(NO_ORDER, "p0", 1000).await.http, 200);
    let mut others = Vec::new();
    for user in ["bob", "cid", "dan"] {
        others.push(wait(user, 20)?);
    }
    until("all orders are published", async || {
        Ok((env.published().await? >= WAITING as i64).then_some(()))
    })
    .await?;
    assert_eq!(env.api.pay(NO_ORDER, "p1", 1000).await.http, 200);
    for other in others {
        let answer = other.await?;
        assert_eq!(
            (answer.http, answer.text("status"), answer.retry_after),
            (202, Some("accepted"), Some(1)),
            "{}",
            answer.body
        );
    }
    assert!(
        !first.is_finished(),
        "of four buyers one waits, by the template's share"
    );
    assert_eq!(first.await?.http, 202);
    host.stop().await?;
    env.remove().await
}
