//! A sale with a waiting room: buyers join before it begins, are admitted in their order, and buy.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use journeys::{TestEnvironment, until};
use ticket_rush::api::SeatSelection;
use tokio::task::JoinSet;

const BUYERS: usize = 50;
/// Admissions per second.
const RATE: u32 = 10;

#[tokio::test]
async fn fifty_buyers_are_admitted_in_order_and_buy() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let program = env.sale(5, 10, Duration::from_mins(10), 6).await?;
    let seller = env
        .keys
        .buyer("seller", Some("programs:write"), Duration::from_mins(10))?;
    let on = env
        .api
        .switch_waiting_room(&seller, &program, Some(RATE))
        .await;
    ensure!(on.http == 200, "{} {}", on.http, on.body);
    let stopped = env.api.switch_sale(&seller, &program, "stop").await;
    ensure!(stopped.http == 200, "{} {}", stopped.http, stopped.body);

    let mut buyers = Vec::new();
    for n in 0..BUYERS {
        let buyer = env.buyer(&format!("buyer-{n}"))?;
        let joined = env.api.join_waiting_room(&buyer, &program).await;
        ensure!(
            joined.body["position"] == n + 1 && joined.http == 202,
            "{} {}",
            joined.http,
            joined.body
        );
        let ticket = joined.text("ticket").context("a ticket")?.to_owned();
        buyers.push((buyer, ticket));
    }
    let resumed = env.api.switch_sale(&seller, &program, "resume").await;
    ensure!(resumed.http == 200, "{} {}", resumed.http, resumed.body);
    let (last, _) = buyers.last().context("there are buyers")?;
    // An instance may have read the program while the sale was stopped.
    until(
        "the sale goes on, and who is not admitted gets no seat",
        async || {
            let one = SeatSelection::Best(1);
            let early = env.api.order(last, &program, 0, &one, Some("k"), 0).await;
            match early.code() {
                Some("not_admitted") => Ok(Some(())),
                Some("sale_stopped") => Ok(None),
                _ => bail!("{} {}", early.http, early.body),
            }
        },
    )
    .await?;

    until("all buyers are admitted, in their order", async || {
        let mut positions = Vec::new();
        // The last one first: whatever rounds are in between, those in front are as far or farther.
        for (buyer, ticket) in buyers.iter().rev() {
            let place = env.api.waiting_room_place(buyer, &program, ticket).await;
            positions.push(match place.text("state") {
                Some("admitted") => 0,
                Some("waiting") => place.body["position"].as_u64().context("a position")?,
                _ => bail!("{} {}", place.http, place.body),
            });
        }
        positions.reverse();
        ensure!(positions.is_sorted(), "{positions:?}");
        Ok(positions
            .iter()
            .all(|position| *position == 0)
            .then_some(()))
    })
    .await?;

    let mut orders = JoinSet::new();
    for (n, (buyer, _)) in buyers.iter().cloned().enumerate() {
        let (api, program) = (env.api.clone(), program.clone());
        orders.spawn(async move {
            let one = SeatSelection::Best(1);
            let answer = api.order(&buyer, &program, 0, &one, Some("k2"), 0).await;
            let order = answer.order().with_context(|| answer.body.to_string())?;
            anyhow::Ok((n, order))
        });
    }
    for ordered in orders.join_all().await {
        let (n, order) = ordered?;
        let (buyer, _) = &buyers[n];
        env.until_status(buyer, &order.order, "unpaid").await?;
        let paid = env.api.pay(&order.order, &format!("p{n}"), 1000).await;
        ensure!(paid.text("result") == Some("applied"), "{}", paid.body);
    }
    env.until_free(&program, 0).await?;
    env.audited(&["--final"]).await?;
    host.stop().await?;
    env.remove().await
}
