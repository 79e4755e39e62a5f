//! Parked records, for operators: list, show, replay, discard.
//!
//! Reading needs the scope `parked:read`, [`replay`] and [`discard`] need `parked:write`. Each
//! action is recorded with the operator.

mod discard;
mod replay;
mod view;

use shared::store::{ParkedId, ParkedRecord, ParkedState};

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
    call.claims.user_with("parked:read")?;
    let limit = call.number("limit", 1, 100)?.unwrap_or(20) as u32;
    let topic = call.checked("topic", TOPIC, |topic| is_topic(topic).then_some(topic))?;
    let state = call.parsed::<ParkedState>("state")?;
    let after = call.parsed::<Cursor<LIST>>("after")?;
    let after = after.map(|Cursor(id)| ParkedId::new(id)).transpose();
    let after = after.map_err(Problem::malformed)?;
    let records = app.store.parked(topic, state, after, limit + 1).await?;
    let cursor = |record: &ParkedRecord| Cursor::<LIST>(record.id.get()).to_string();
    Ok(Reply::page(
        "records",
        &records,
        limit,
        view::record,
        cursor,
    ))
}

/// `GET /parked/{id}`: with key, value and history.
pub async fn show(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    call.claims.user_with("parked:read")?;
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
    let detail = format_args!("there is no parked record {id}");
    Problem::not_found("no_such_record", detail)
}

/// What [`is_topic`] accepts.
const TOPIC: &str = "topic: the full name as records show it is expected: 1 to 249 characters of \
                     a-z, A-Z, 0-9, '.', '_' and '-'";

/// Whether Kafka takes it as the name of a topic.
fn is_topic(topic: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    topic.bytes().all(is_allowed) && (1..=249).contains(&topic.len())
}
