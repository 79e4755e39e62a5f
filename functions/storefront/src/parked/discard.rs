//! Discards a parked record.

use shared::store::Discarded;

use super::replay::{busy, differs};
use super::{missing, parse, view};
use crate::app::App;
use crate::http::{Call, Problem, Reply};

/// `POST /parked/{id}/discard`: marks the record as discarded, with the operator and the reason.
/// Idempotent; the first reason is kept.
pub async fn discard(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user_with("parked:write")?;
    let id = parse(id)?;
    let why = &call.why("invalid_discard", "A reason is needed to discard a record")?;
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
