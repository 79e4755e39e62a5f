//! Records that could not be handled, for the people who look after the system: listed, shown, put back, given up.
//!
//! Reading needs the scope `parked:read`, [`replay`] and [`discard`] need `parked:write`. Whatever is done is kept with who did it.

mod discard;
mod replay;
mod view;

use serde_json::json;
use shared::store::{ParkedId, ParkedState};

pub use discard::discard;
pub use replay::replay;

use crate::http::{Call, Cursor, Problem, Reply};
use crate::storefront::Storefront;

/// Marks the cursors of this list, newest first.
const LIST: u8 = 1;

/// Most bytes shown of a key, and of a value. In JSON within JSON a byte may become seven, and an answer is 6 MB at most.
const MAX_SHOWN_BYTES: u32 = 384 * 1024;
/// Attempts shown of a record's history.
const SHOWN_ATTEMPTS: u32 = 100;

/// `GET /parked?topic=&state=&after=&limit=`: newest first. `after` of the answer leads on, and is null on the last page.
pub async fn list(shop: &Storefront, call: &Call) -> Result<Reply, Problem> {
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
    // One more than is shown tells whether there is another page.
    let mut records = shop.store.parked(topic, state, after, limit + 1).await?;
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
pub async fn show(shop: &Storefront, id: &str, call: &Call) -> Result<Reply, Problem> {
    call.claims.user()?;
    call.claims.require_scope("parked:read")?;
    let found = shop
        .store
        .parked_record(parse(id)?, MAX_SHOWN_BYTES, SHOWN_ATTEMPTS)
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

/// What Kafka allows as a topic's name.
fn checked_topic(topic: &str) -> Result<&str, Problem> {
    let allowed = topic
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if allowed && (1..=249).contains(&topic.len()) {
        Ok(topic)
    } else {
        Err(Problem::malformed(
            "topic: 1 to 249 letters, digits, '.', '_' and '-' are expected: the whole name, as records show it",
        ))
    }
}
