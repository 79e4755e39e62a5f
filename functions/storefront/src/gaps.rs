//! Offsets that a consumer never received, for operators: listed, and closed where they are not to be replayed.
//!
//! Reading needs the scope `parked:read`, closing needs `parked:write`, as for parked records. A gap is replayed by setting the consumer
//! group back to `from_offset`; order-create closes it when the replay is past its end.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::store::GapRow;

use crate::http::{Call, Problem, Reply, time};
use crate::storefront::Storefront;

/// Longest reason, characters.
const MAX_WHY: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    why: String,
}

/// `GET /gaps?closed=0&after=&limit=20`: newest first, closed ones only with `closed=1`. `after` of the answer leads on, and is null on
/// the last page.
pub async fn list(shop: &Storefront, call: &Call) -> Result<Reply, Problem> {
    call.claims.user()?;
    call.claims.require_scope("parked:read")?;
    let limit = call.number("limit", 1, 100)?.unwrap_or(20) as u32;
    let with_closed = call.number("closed", 0, 1)?.unwrap_or(0) == 1;
    let after = call
        .number("after", 1, i64::MAX as u64)?
        .map(u64::cast_signed);
    // One more than is shown tells whether there is another page.
    let mut gaps = shop.store.gaps(!with_closed, after, limit + 1).await?;
    let more = gaps.len() > limit as usize;
    gaps.truncate(limit as usize);
    let next = gaps.last().filter(|_| more).map(|gap| gap.id.to_string());
    Ok(Reply::ok(
        json!({ "gaps": gaps.iter().map(view).collect::<Vec<_>>(), "after": next }),
    ))
}

/// `POST /gaps/{id}/close`: an operator has compared the gap with Kafka, and it is not to be replayed. Kept with who and why.
pub async fn close(shop: &Storefront, id: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    call.claims.require_scope("parked:write")?;
    let missing = || Problem::not_found("no_such_gap", format_args!("there is no open gap {id}"));
    let number: i64 = id.parse().map_err(|_| missing())?;
    let Asked { why } = call.json()?;
    let why = why.trim();
    if why.is_empty() || why.chars().count() > MAX_WHY || why.chars().any(char::is_control) {
        let detail =
            format_args!("why: 1 to {MAX_WHY} characters on one line are expected").to_string();
        return Err(Problem::new(
            422,
            "invalid_close",
            "A gap is closed for a reason",
            detail,
        ));
    }
    if !shop.store.close_gap(number, &user, why).await? {
        return Err(missing());
    }
    tracing::info!(gap = number, by = user.as_str(), why, "a gap is closed");
    Ok(Reply::ok(
        json!({ "id": number.to_string(), "state": "closed", "closed_by": user, "closed_why": why }),
    ))
}

fn view(row: &GapRow) -> Value {
    json!({
        "id": row.id.to_string(),
        "topic": row.gap.topic,
        "partition": row.gap.partition,
        "from_offset": row.gap.from.to_string(),
        "until_offset": row.gap.until.to_string(),
        "replayed_until": row.replayed_until.to_string(),
        "found_at": time(row.found_ms),
        "state": if row.closed_ms.is_none() { "open" } else { "closed" },
        "closed_at": row.closed_ms.map(time),
        "closed_by": row.closed_by,
        "closed_why": row.closed_why,
    })
}
