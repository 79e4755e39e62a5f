//! An operator changes the seats during the rush: the last seats of the stalls are blocked, and the
//! balcony gets one more row. The audit compares both with Redis afterwards.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use ticket_rush::api::Buyer;
use ticket_rush::rush::Rush;
use tokio::time::timeout;

use crate::output;

/// Timeout of each change.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Seats that are blocked.
const HOUSE_SEATS: u64 = 4;

/// Blocks seats, and adds a row behind the last category.
pub(crate) async fn during_the_rush(rush: &Rush, seller: &Buyer) -> Result<()> {
    let read = || rush.api.program(&rush.program);
    let program = timeout(TIMEOUT, rush.until_answered(read)).await;
    let program = program.context("cannot read the program")?.body;
    let of = |category: usize, name: &str| {
        let value = program["categories"][category][name].as_u64();
        value.with_context(|| format!("category {category} has no {name}"))
    };
    let behind = of(1, "first_seat")? + of(1, "rows")? * of(1, "seats_per_row")?;
    let last = json!([{ "first": behind - HOUSE_SEATS, "last": behind - 1 }]);
    let block = json!({ "seats": last, "reason": "house seats" });
    let blocked = change(rush, seller, "block", &block).await?;
    let held = blocked["held"].as_array().map_or(0, Vec::len);
    output::done(&format!(
        "{HOUSE_SEATS} seats of the stalls are blocked; orders keep {held} ranges of them"
    ));

    let rows = of(2, "rows")? + 1;
    let add = json!({
        "version": blocked["version"], "more_rows": { "category": 2, "rows": rows },
    });
    let added = change(rush, seller, "seats", &add).await?;
    ensure!(
        added["categories"][2]["rows"] == json!(rows),
        "the balcony has no row {rows}: {added}"
    );
    output::done(&format!(
        "the balcony has {rows} rows, one more than before"
    ));
    Ok(())
}

/// A change, repeated until it has an answer.
async fn change(rush: &Rush, seller: &Buyer, verb: &str, body: &Value) -> Result<Value> {
    let send = || rush.api.change_seats(seller, &rush.program, verb, body);
    let answer = timeout(TIMEOUT, rush.until_answered(send)).await;
    let answer = answer.with_context(|| format!("{verb} has no final answer after {TIMEOUT:?}"))?;
    if answer.http == 409 {
        // A repetition of a change whose answer was lost: the program shows it.
        let read = || rush.api.program(&rush.program);
        return Ok(rush.until_answered(read).await.body);
    }
    ensure!(
        matches!(answer.http, 200 | 202),
        "{verb}: {} {}",
        answer.http,
        answer.body
    );
    Ok(answer.body)
}
