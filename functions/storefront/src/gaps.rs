//! Offsets that a consumer never received: operators list them, and close those not to be replayed.
//!
//! Reading needs the scope `parked:read`, closing `parked:write`, as for parked records. An
//! operator replays a gap by setting the consumer group back to `from_offset`; order-create closes
//! the gap when the replay has passed its end.

use serde_json::{Value, json};
use shared::store::GapRow;

use crate::app::App;
use crate::http::{Call, Problem, Reply, time};

/// `GET /gaps?closed=0&after=&limit=20`: newest first, closed ones only with `closed=1`. `after` of
/// the answer leads to the next page; it is null on the last one.
pub async fn list(app: &App, call: &Call) -> Result<Reply, Problem> {
    call.claims.user_with("parked:read")?;
    let limit = call.number("limit", 1, 100)?.unwrap_or(20) as u32;
    let with_closed = call.number("closed", 0, 1)?.unwrap_or(0) == 1;
    let after = call
        .number("after", 1, i64::MAX as u64)?
        .map(u64::cast_signed);
    let gaps = app.store.gaps(!with_closed, after, limit + 1).await?;
    let cursor = |gap: &GapRow| gap.id.to_string();
    Ok(Reply::page("gaps", &gaps, limit, view, cursor))
}

/// `POST /gaps/{id}/close`: an operator has compared the gap with Kafka and will not replay it.
/// Records the operator and the reason.
pub async fn close(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user_with("parked:write")?;
    let missing = || Problem::not_found("no_such_gap", format_args!("there is no open gap {id}"));
    let number: i64 = id.parse().map_err(|_| missing())?;
    let why = &call.why("invalid_close", "A reason is needed to close a gap")?;
    if !app.store.close_gap(number, &user, why).await? {
        return Err(missing());
    }
    let by = user.as_str();
    tracing::info!(gap = number, by, why, "an operator closed a gap");
    Ok(Reply::ok(json!({
        "id": number.to_string(), "state": "closed", "closed_by": user, "closed_why": why,
    })))
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
