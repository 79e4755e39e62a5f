//! An operator blocks, unblocks and adds seats while buyers order.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use journeys::TestEnvironment;
use serde_json::{Value, json};
use ticket_rush::api::{Answer, SeatSelection};
use tokio::task::JoinSet;

const LONG: Duration = Duration::from_mins(10);
/// Buyers that order while the seats change.
const BUYERS: u32 = 24;

/// A change of the program's seats by the operator.
async fn change(env: &TestEnvironment, id: &str, verb: &str, body: Value) -> Result<Answer> {
    let operator = env.keys.buyer("house", Some("programs:write"), LONG)?;
    let answer = env.api.change_seats(&operator, id, verb, &body).await;
    ensure!(
        answer.http == 200,
        "{verb}: {} {}",
        answer.http,
        answer.body
    );
    Ok(answer)
}

/// The number of an order of two seats; `None` if there were no two.
fn number(answer: &Answer) -> Result<Option<String>> {
    match (answer.http, answer.code()) {
        (200..=202, _) => Ok(answer.text("order").map(str::to_owned)),
        (409, Some("sold_out" | "not_adjacent")) => Ok(None),
        _ => bail!("{} {}", answer.http, answer.body),
    }
}

/// The symbols of a map, by seat.
async fn symbols(env: &TestEnvironment, program: &str) -> Result<String> {
    let map = env.api.seats(program, 0).await;
    let rows = map.body["rows"].as_array().context("a map")?;
    Ok(rows.iter().filter_map(Value::as_str).collect())
}

#[tokio::test]
async fn seats_change_while_buyers_order() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let program = env.sale(3, 10, LONG, 6).await?;
    let range = |first: u32, last: u32| json!([{"first": first, "last": last}]);
    // The first row is not for sale.
    let body = json!({"seats": range(0, 9), "reason": "house"});
    change(&env, &program, "block", body).await?;

    // Each buyer takes the best pair that there is. Meanwhile a row is added, and another unblocked.
    let mut buyers = JoinSet::new();
    for n in 0..BUYERS {
        let (api, program) = (env.api.clone(), program.clone());
        let buyer = env.buyer(&format!("buyer-{n}"))?;
        buyers.spawn(async move {
            let best = SeatSelection::Best(2);
            let answer = api.order(&buyer, &program, 0, &best, Some("k"), 0).await;
            (buyer, answer)
        });
    }
    let version = env.api.program(&program).await.body["version"].clone();
    let more = json!({"category": 0, "rows": 4});
    let added = json!({"version": version, "more_rows": more});
    change(&env, &program, "seats", added).await?;
    let unblocked = change(&env, &program, "unblock", json!({"seats": range(0, 4)})).await?;
    ensure!(unblocked.body["changed"] == 5, "{}", unblocked.body);
    let mut answers = buyers.join_all().await;
    // One buyer more, so that some of the added and of the unblocked seats are sold in any case.
    for n in 0..3 {
        let (late, best) = (env.buyer("late")?, SeatSelection::Best(2));
        let key = format!("k{n}");
        let answer = env
            .api
            .order(&late, &program, 0, &best, Some(&key), 0)
            .await;
        answers.push((late, answer));
    }
    let mut orders = Vec::new();
    for (buyer, answer) in answers {
        orders.extend(number(&answer)?.map(|order| (buyer, order)));
    }
    let sold = symbols(&env, &program).await?;
    ensure!(sold.len() == 40 && sold[5..10] == *"#####", "{sold}");
    ensure!(sold[..5].contains('x'), "{sold}");
    ensure!(orders.len() >= 13, "{} pairs were sold", orders.len());

    // A block of sold seats leaves the orders alone, and keeps the seats when an order ends.
    let body = json!({"seats": range(0, 39), "reason": "closed"});
    let blocked = change(&env, &program, "block", body).await?;
    ensure!(blocked.body["held"] != json!([]), "{}", blocked.body);
    let (buyer, order) = &orders[0];
    for (buyer, order) in &orders {
        env.until_status(buyer, order, "unpaid").await?;
    }
    let cancelled = env.api.cancel(buyer, order).await;
    ensure!(cancelled.http == 200, "{}", cancelled.body);
    let free: BTreeSet<char> = symbols(&env, &program).await?.chars().collect();
    ensure!(free == BTreeSet::from(['#', 'x']), "{free:?}");
    for (n, (buyer, order)) in orders.iter().enumerate().skip(1) {
        let paid = env.api.pay(order, &format!("p{n}"), 2000).await;
        ensure!(paid.text("result") == Some("applied"), "{}", paid.body);
        env.until_status(buyer, order, "paid").await?;
    }
    env.audited(&["--final"]).await?;
    host.stop().await?;
    env.remove().await
}
