//! Refunds, for operators: of paid orders, and of payments that pay no order.
//!
//! Reading needs the scope `payments:read`, deciding `payments:write`. The timeout-closer hands the
//! refunds out to the payment provider; what it refuses, and what no provider is set up for, an
//! operator returns and records here.

mod decide;
mod request;
mod view;

pub use decide::{assign, recorded, retry};
pub use request::create;
use shared::message::OrderNumber;
use shared::store::{RefundFilter, RefundId, RefundRow, RefundState};
use view::view;

use crate::app::App;
use crate::http::{Call, Cursor, Problem, Reply, is_line};

/// Marks the cursors of this list.
const LIST: u8 = 3;
/// Maximum length of a note, characters.
const MAX_NOTE: usize = 200;

/// `GET /refunds?state=&order=&after=&limit=`: newest first. `after` of the answer leads to the
/// next page; it is null on the last one.
pub async fn list(app: &App, call: &Call) -> Result<Reply, Problem> {
    call.claims.user_with("payments:read")?;
    let limit = call.number("limit", 1, 100)?.unwrap_or(20) as u32;
    let filter = RefundFilter {
        state: call.parsed::<RefundState>("state")?,
        order: call.parsed::<OrderNumber>("order")?,
        payment: None,
    };
    let after = call.parsed::<Cursor<LIST>>("after")?;
    let after = after.map(|Cursor(id)| RefundId::new(id)).transpose();
    let after = after.map_err(Problem::malformed)?;
    let refunds = app.store.refunds(&filter, after, limit + 1).await?;
    let cursor = |refund: &RefundRow| Cursor::<LIST>(refund.id.get()).to_string();
    Ok(Reply::page("refunds", &refunds, limit, view, cursor))
}

fn no_such_refund(id: &str) -> Problem {
    Problem::not_found("no_such_refund", format_args!("there is no refund {id}"))
}

/// A note without the space around it.
pub(crate) fn checked_note(text: &str) -> Result<&str, Problem> {
    let note = text.trim();
    if !is_line(note, MAX_NOTE) {
        let detail = format!(
            "note: 1 to {MAX_NOTE} characters on one line are expected, such as the refund's \
             reference"
        );
        let title = "A refund is recorded with a note";
        return Err(Problem::new(422, "invalid_refund", title, detail));
    }
    Ok(note)
}

/// Another worker has the refund.
pub(crate) fn handed_out(what: impl std::fmt::Display) -> Problem {
    let title = "The refund is with the payment provider";
    let detail = format!("{what} is handed out to the payment provider; its answer comes first");
    Problem::conflict("refund_handed_out", title, detail).retry_after(60)
}
