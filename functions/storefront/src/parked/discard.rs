//! A parked record is given up.

use serde::Deserialize;
use shared::store::Discarded;

use super::replay::{busy, differs};
use super::{missing, parse, view};
use crate::http::{Call, Problem, Reply};
use crate::storefront::Storefront;

/// Longest reason, characters.
const MAX_WHY: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    why: String,
}

/// `POST /parked/{id}/discard`: kept as discarded, with who and why. Repeating it is harmless; the first words stay.
pub async fn discard(shop: &Storefront, id: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    call.claims.require_scope("parked:write")?;
    let id = parse(id)?;
    let Asked { why } = call.json()?;
    let why = why.trim();
    if why.is_empty() || why.chars().count() > MAX_WHY || why.chars().any(char::is_control) {
        let detail =
            format_args!("why: 1 to {MAX_WHY} characters on one line are expected").to_string();
        return Err(Problem::new(
            422,
            "invalid_discard",
            "A record is discarded for a reason",
            detail,
        ));
    }
    match shop.store.discard(id, &user, why).await? {
        Discarded::Yes(record) => {
            tracing::info!(parked = %id, by = user.as_str(), why, "discarded");
            Ok(Reply::ok(view::record(&record)))
        }
        Discarded::Replayed(record) => Err(differs(&record)),
        Discarded::Busy(_) => Err(busy(id)),
        Discarded::Missing => Err(missing(id)),
    }
}
