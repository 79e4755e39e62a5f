//! `GET /api-calls?ip=&route=&url=&status=&user=&from=&to=&limit=&after=`

use serde_json::{Value, json};
use shared::store::{CallFilter, CallRow};

use super::{admit, conditions, place};
use crate::http::{Call, Problem, Reply, time};
use crate::storefront::Storefront;

/// Longest time that is searched at once.
const LONGEST_MS: i64 = 31 * conditions::DAY_MS;
/// Calls on a page at most, and where nothing is said.
const PAGE: (u64, u64) = (1_000, 100);

/// Calls, newest first; `after` leads to the next page, which shows nothing twice and leaves nothing out, whatever is added meanwhile.
pub async fn search(shop: &Storefront, call: &Call) -> Result<Reply, Problem> {
    admit(call)?;
    if call.query.contains("after") && !(call.query.contains("from") && call.query.contains("to")) {
        // The last hour is another one by now.
        return Err(Problem::malformed(
            "with after, from and to must be those that the first page told",
        ));
    }
    let (from_ms, until_ms) = conditions::period(call, shop.clock.now_ms(), LONGEST_MS)?;
    let filter = CallFilter {
        from_ms,
        until_ms,
        ip: conditions::ip(call)?,
        route: conditions::route(call)?,
        url: conditions::url(call)?,
        status: conditions::status(call)?,
        user: conditions::user(call)?,
    };
    let limit = call.number("limit", 1, PAGE.0)?.unwrap_or(PAGE.1) as u32;
    let after = call.parameter("after")?.map(|text| {
        place::read(text).ok_or_else(|| {
            Problem::malformed("after must be what the page before said, as it said it")
        })
    });
    let rows = shop
        .store
        .search_calls(&filter, after.transpose()?, limit)
        .await?;
    let next = rows
        .last()
        .filter(|_| rows.len() == limit as usize)
        .map(|row| place::written(row.place));
    Ok(Reply::ok(json!({
        "from": time(from_ms), "to": time(until_ms), "calls": rows.iter().map(view).collect::<Vec<_>>(), "after": next,
    })))
}

fn view(row: &CallRow) -> Value {
    json!({
        "id": row.id, "at": time(row.place.at_ms), "route": row.route, "url": row.url, "status": row.status,
        "duration_us": row.duration_us, "client": row.client, "user": row.user, "ip": row.ip, "trace": row.trace,
        "instance": row.instance,
    })
}
