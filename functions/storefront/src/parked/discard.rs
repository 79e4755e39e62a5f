//! Discards a parked record.

use serde::Deserialize;
use shared::store::Discarded;

use super::replay::{busy, differs};
use super::{missing, parse, view};
use crate::app::App;
use crate::http::{Call, Problem, Reply};

/// Maximum length of a reason, characters.
const MAX_WHY: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DiscardBody {
    why: String,
}

/// `POST /parked/{id}/discard`: marks the record as discarded, with the operator and the reason.
/// Idempotent; the first reason is kept.
pub async fn discard(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    call.claims.require_scope("parked:write")?;
    let id = parse(id)?;
    let DiscardBody { why } = call.json()?;
    let why = why.trim();
    if why.is_empty() || why.chars().count() > MAX_WHY || why.chars().any(char::is_control) {
        let detail = format!("why: 1 to {MAX_WHY} characters on one line are expected");
        return Err(Problem::new(
            422,
            "invalid_discard",
            "A reason is needed to discard a record",
            detail,
        ));
    }
    match app.store.discard(id, &user, why).await? {
        Discarded::Yes(record) => {
            tracing::info!(parked = %id, by = user.as_str(), why, "an operator discarded a parked \
                record");
            Ok(Reply::ok(view::record(&record)))
        }
        Discarded::Replayed(record) => Err(differs(&record)),
        Discarded::Busy(_) => Err(busy(id)),
        Discarded::Missing => Err(missing(id)),
    }
}
