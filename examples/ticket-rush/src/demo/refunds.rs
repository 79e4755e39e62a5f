//! An operator refunds two paid orders: one whole, whose seats are free afterwards, and a part of
//! another one, which stays paid. The provider returns the money; it also gets what buyers paid twice
//! or too late.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use ticket_rush::rush::Rush;
use tokio::time::{Instant, sleep};

use super::environment::DemoEnvironment;
use crate::output;

/// A first attempt whose answer is lost is repeated after ten seconds.
const WITHIN: Duration = Duration::from_secs(40);

pub(crate) async fn of_paid_orders(env: &DemoEnvironment, rush: &Rush) -> Result<()> {
    let paid = rush.tally.counts().accepted.into_iter();
    let mut paid = paid.filter(|(_, order)| order.last_seen == "paid");
    let (Some((whole, buyer)), Some((part, _))) = (paid.next(), paid.next()) else {
        output::line("no two orders are paid: none is refunded");
        return Ok(());
    };
    let operator = env.user("operator", Some("payments:write"))?;
    for (order, amount_cents) in [(&whole, None), (&part, Some(100))] {
        let key = format!("refund-{order}");
        // A second click makes no second refund.
        for expected in [202, 200] {
            let refund = || rush.api.refund(&operator, order, amount_cents, &key);
            let answer = rush.until_answered(refund).await;
            ensure!(
                answer.http == expected,
                "refund of order {order}: {} {}",
                answer.http,
                answer.body
            );
        }
    }
    let deadline = Instant::now() + WITHIN;
    loop {
        let answer = rush.api.get_order(&buyer.buyer, &whole).await;
        match answer.text("status") {
            Some("refunded") => break,
            _ if Instant::now() < deadline => sleep(Duration::from_millis(300)).await,
            status => bail!("order {whole} is {status:?}, not refunded"),
        }
    }
    output::done(&format!(
        "order {whole} is refunded, its seats are free; 100 cents of order {part}"
    ));
    Ok(())
}
