//! `GET /api-calls?ip=&route=&url=&status=&user=&from=&to=&limit=&after=`

use serde_json::{Value, json};
use shared::api_calls::{CallFilter, CallRow};

use super::{conditions, cursor};
use crate::app::App;
use crate::http::{Call, Problem, Reply, now_ms, time};

/// Maximum length of the searched period.
const MAX_PERIOD_MS: i64 = 31 * conditions::DAY_MS;
/// Maximum number of calls on a page.
const MAX_PAGE: u64 = 1_000;
/// Number of calls on a page by default.
const DEFAULT_PAGE: u64 = 100;

/// Calls, newest first. `after` leads to the next page, which repeats and omits no call even if
/// calls are added meanwhile.
pub async fn search(app: &App, call: &Call) -> Result<Reply, Problem> {
    call.claims.user_with(super::SCOPE)?;
    if call.query.contains("after") && !(call.query.contains("from") && call.query.contains("to")) {
        // The default period, the last hour, has moved since the first page.
        return Err(Problem::malformed(
            "with after, from and to must be those that the first page answered",
        ));
    }
    let (from_ms, until_ms) = conditions::period(call, now_ms(), MAX_PERIOD_MS)?;
    let filter = CallFilter {
        from_ms,
        until_ms,
        ip: conditions::ip(call)?,
        route: conditions::route(call)?,
        url: conditions::url(call)?,
        status: conditions::status(call)?,
        user: conditions::user(call)?,
    };
    let limit = call.number("limit", 1, MAX_PAGE)?.unwrap_or(DEFAULT_PAGE) as u32;
    let rule = "after must be the value that the previous page answered, unchanged";
    let after = call.checked("after", rule, cursor::decode)?;
    let rows = app.store.search_calls(&filter, after, limit).await?;
    let next = rows
        .last()
        .filter(|_| rows.len() == limit as usize)
        .map(|row| cursor::encode(row.position));
    Ok(Reply::ok(json!({
        "from": time(from_ms), "to": time(until_ms),
        "calls": rows.iter().map(view).collect::<Vec<_>>(), "after": next,
    })))
}

fn view(row: &CallRow) -> Value {
    json!({
        "id": row.id, "at": time(row.position.at_ms), "route": row.route, "url": row.url,
        "status": row.status, "duration_us": row.duration_us, "client": row.client,
        "user": row.user, "ip": row.ip, "trace": row.trace, "instance": row.instance,
    })
}
