//! Payments for operators. Reading needs the scope `payments:read`, recording a refund
//! `payments:write`.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::message::OrderNumber;
use shared::store::{PaymentFilter, PaymentId, PaymentRow, PaymentState, Refunded};

use super::{REFERENCE, reference};
use crate::app::App;
use crate::http::{Call, Cursor, Problem, Reply, time};
use crate::refunds::{checked_note, handed_out};

/// Marks the cursors of this list.
const LIST: u8 = 2;

/// `GET /payments?state=&order=&reference=&after=&limit=`: newest first. `after` of the answer
/// leads to the next page; it is null on the last one.
pub async fn list(app: &App, call: &Call) -> Result<Reply, Problem> {
    call.claims.user_with("payments:read")?;
    let limit = call.number("limit", 1, 100)?.unwrap_or(20) as u32;
    let filter = PaymentFilter {
        state: call.parsed::<PaymentState>("state")?,
        order: call.parsed::<OrderNumber>("order")?,
        reference: call.checked("reference", REFERENCE, reference)?,
    };
    let after = call.parsed::<Cursor<LIST>>("after")?;
    let after = after.map(|Cursor(id)| PaymentId::new(id)).transpose();
    let after = after.map_err(Problem::malformed)?;
    let payments = app.store.payments(&filter, after, limit + 1).await?;
    let cursor = |payment: &PaymentRow| Cursor::<LIST>(payment.id.get()).to_string();
    Ok(Reply::page("payments", &payments, limit, view, cursor))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundBody {
    note: String,
}

/// `POST /payments/{id}/refunded`: records that an operator has returned the money. Idempotent; the
/// first note is kept.
pub async fn refunded(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user_with("payments:write")?;
    let missing =
        || Problem::not_found("no_such_payment", format_args!("there is no payment {id}"));
    let id: PaymentId = id.parse().map_err(|_| missing())?;
    let RefundBody { note } = call.json()?;
    let note = checked_note(&note)?;
    match app.store.refunded(id, &user, note).await? {
        Refunded::Yes(payment) => {
            tracing::info!(payment = %id, order = %payment.order, by = user.as_str(), "refunded");
            Ok(Reply::ok(view(&payment)))
        }
        Refunded::NotDue(payment) => {
            let state = payment.state.as_str();
            let detail =
                format!("payment {id} is {state}; only to_refund and amount_differs are refunded");
            let title = "The payment is not to be refunded";
            Err(Problem::conflict("not_to_refund", title, detail).with("state", state))
        }
        Refunded::HandedOut(payment) => Err(handed_out(format_args!(
            "the refund of payment {}",
            payment.id
        ))),
        Refunded::Missing => Err(missing()),
    }
}

/// A payment as JSON.
pub(crate) fn view(payment: &PaymentRow) -> Value {
    let mut view = json!({
        "id": payment.id.to_string(),
        "reference": payment.reference,
        "order": payment.order,
        "amount_cents": payment.amount,
        "refunded_cents": payment.refunded,
        "state": payment.state.as_str(),
        "reference_reused": payment.reused,
        "received_at": time(payment.received_ms),
        "order_status": payment.for_order.map(|(status, _)| status.as_str()),
        "order_amount_cents": payment.for_order.and_then(|(_, amount)| amount),
    });
    if let Some(reported) = payment.reported_order {
        view["reported_order"] = json!(reported);
    }
    if let Some(refund) = &payment.refund {
        view["refunded"] =
            json!({ "by": refund.by, "note": refund.note, "at": time(refund.at_ms) });
    }
    view
}
