//! Offsets that a consumer never received: operators list them, and close those not to be replayed.
//!
//! Reading needs the scope `parked:read`, closing `parked:write`, as for parked records. An
//! operator replays a gap by setting the consumer group back to `from_offset`; order-create closes
//! the gap when the replay has passed its end.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::store::GapRow;

use crate::app::App;
use crate::http::{Call, Problem, Reply, time};

/// Maximum length of a reason, characters.
const MAX_WHY: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CloseBody {
    why: String,
}

/// `GET /gaps?closed=0&after=&limit=20`: newest first, closed ones only with `closed=1`. `after` of
/// the answer leads to the next page; it is null on the last one.
pub async fn list(app: &App, call: &Call) -> Result<Reply, Problem> {
    call.claims.user()?;
    call.claims.require_scope("parked:read")?;
    let limit = call.number("limit", 1, 100)?.unwrap_or(20) as u32;
    let with_closed = call.number("closed", 0, 1)?.unwrap_or(0) == 1;
    let after = call
        .number("after", 1, i64::MAX as u64)?
        .map(u64::cast_signed);
    // One row more than the page shows whether another page follows.
    let mut gaps = app.store.gaps(!with_closed, after, limit + 1).await?;
    let more = gaps.len() > limit as usize;
    gaps.truncate(limit as usize);
    let next = gaps.last().filter(|_| more).map(|gap| gap.id.to_string());
    Ok(Reply::ok(
        json!({ "gaps": gaps.iter().map(view).collect::<Vec<_>>(), "after": next }),
    ))
}

/// `POST /gaps/{id}/close`: an operator has compared the gap with Kafka and will not replay it.
/// Records the operator and the reason.
pub async fn close(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    call.claims.require_scope("parked:write")?;
    let missing = || Problem::not_found("no_such_gap", format_args!("there is no open gap {id}"));
    let number: i64 = id.parse().map_err(|_| missing())?;
    let CloseBody { why } = call.json()?;
    let why = why.trim();
    if why.is_empty() || why.chars().count() > MAX_WHY || why.chars().any(char::is_control) {
        let detail = format!("why: 1 to {MAX_WHY} characters on one line are expected");
        return Err(Problem::new(
            422,
            "invalid_close",
            "A reason is needed to close a gap",
            detail,
        ));
    }
    if !app.store.close_gap(number, &user, why).await? {
        return Err(missing());
    }
    tracing::info!(
        gap = number,
        by = user.as_str(),
        why,
        "an operator closed a gap"
    );
    Ok(Reply::ok(
        json!({ "id": number.to_string(), "state": "closed", "closed_by": user,
        "closed_why": why }),
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
