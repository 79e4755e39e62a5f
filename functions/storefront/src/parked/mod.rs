//! Parked records, for operators: list, show, replay, discard.
//!
//! Reading needs the scope `parked:read`, [`replay`] and [`discard`] need `parked:write`. Each
//! action is recorded with the operator.

mod discard;
mod replay;
mod view;

use serde_json::json;
use shared::store::{ParkedId, ParkedState};

pub use discard::discard;
pub use replay::replay;

use crate::app::App;
use crate::http::{Call, Cursor, Problem, Reply};

/// Marks the cursors of this list.
const LIST: u8 = 1;

/// Maximum number of bytes shown of a key, and of a value: in nested JSON a byte may become seven,
/// and an answer has at most 6 MB.
const MAX_SHOWN_BYTES: u32 = 384 * 1024;
/// Maximum number of replay attempts shown.
const MAX_ATTEMPTS: u32 = 100;

/// `GET /parked?topic=&state=&after=&limit=`: newest first. `after` of the answer leads to the next
/// page; it is null on the last one.
pub async fn list(app: &App, call: &Call) -> Result<Reply, Problem> {
    call.claims.user()?;
    call.claims.require_scope("parked:read")?;
    let limit = call.number("limit", 1, 100)?.unwrap_or(20) as u32;
    let topic = call.parameter("topic")?.map(checked_topic).transpose()?;
    let state = call.parsed::<ParkedState>("state")?;
    let after = call
        .parsed::<Cursor<LIST>>("after")?
        .map(|Cursor(id)| ParkedId::new(id));
    let after = after
        .transpose()
        .map_err(|e| Problem::malformed(format_args!("query parameter after: {e}")))?;
    // One row more than the page shows whether another page follows.
    let mut records = app.store.parked(topic, state, after, limit + 1).await?;
    let more = records.len() > limit as usize;
    records.truncate(limit as usize);
    let next = records
        .last()
        .filter(|_| more)
        .map(|record| Cursor::<LIST>(record.id.get()).to_string());
    Ok(Reply::ok(
        json!({ "records": records.iter().map(view::record).collect::<Vec<_>>(), "after": next }),
    ))
}

/// `GET /parked/{id}`: with key, value and history.
pub async fn show(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    call.claims.user()?;
    call.claims.require_scope("parked:read")?;
    let found = app
        .store
        .parked_record(parse(id)?, MAX_SHOWN_BYTES, MAX_ATTEMPTS)
        .await?;
    Ok(Reply::ok(view::detail(&found.ok_or_else(|| missing(id))?)))
}

fn parse(id: &str) -> Result<ParkedId, Problem> {
    id.parse().map_err(|_| missing(id))
}

fn missing(id: impl std::fmt::Display) -> Problem {
    Problem::not_found(
        "no_such_record",
        format_args!("there is no parked record {id}"),
    )
}

/// Checks a topic name by the rules of Kafka.
fn checked_topic(topic: &str) -> Result<&str, Problem> {
    let allowed = topic
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if allowed && (1..=249).contains(&topic.len()) {
        Ok(topic)
    } else {
        Err(Problem::malformed(
            "topic: the full name as records show it is expected: 1 to 249 characters of a-z, A-Z, 0-9, \
             '.', '_' and '-'",
        ))
    }
}
