//! An operator requests a refund of a paid order.

use serde::Deserialize;
use shared::message::{Cents, OrderNumber};
use shared::store::{RefundRequest, RefundRequested};

use super::{checked_note, view};
use crate::app::App;
use crate::http::{Call, Problem, Reply};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    /// Without it: all that is left of the payment.
    amount_cents: Option<Cents>,
    note: String,
}

/// `POST /orders/{number}/refunds`, with an `Idempotency-Key`: 202 with the refund, which the
/// payment provider gets from the next sweep. A part leaves the order paid. What leaves nothing of
/// the payment ends it: `refunding`, then `refunded`, and its seats are free.
pub async fn create(app: &App, number: &str, call: &Call) -> Result<Reply, Problem> {
    let by = call.claims.user_with("payments:write")?;
    let missing =
        || Problem::not_found("no_such_order", format_args!("there is no order {number}"));
    let order: OrderNumber = number.parse().map_err(|_| missing())?;
    let key = call.idempotency_key()?.ok_or_else(|| {
        let why = "header idempotency-key is missing: a repeated request would return money twice";
        Problem::malformed(why)
    })?;
    let body: Body = call.json()?;
    let request = RefundRequest {
        order,
        amount: body.amount_cents,
        key,
        by,
        note: checked_note(&body.note)?.to_owned(),
    };
    match app.store.request_refund(&request).await? {
        RefundRequested::New(refund) => {
            let by = request.by.as_str();
            let (refund_id, amount_cents) = (refund.id, refund.amount.get());
            tracing::info!(refund = %refund_id, %order, amount_cents, by, "refund requested");
            let path = format!("/refunds?order={order}");
            Ok(Reply::at(202, path, view(&refund)))
        }
        RefundRequested::Before(refund) => Ok(Reply::ok(view(&refund))),
        RefundRequested::KeyReused(refund) => {
            let title = "The key belongs to another request";
            let detail = format!(
                "a request with this Idempotency-Key asked for {} cents of this order",
                refund.amount
            );
            Err(Problem::new(422, "idempotency_key_reused", title, detail)
                .with("refund", refund.id.to_string()))
        }
        RefundRequested::NotPaid(row) => {
            let status = row.status.as_str();
            let title = "The order is not paid";
            let detail = format!("order {order} is {status}; only paid orders are refunded");
            Err(Problem::conflict("not_paid", title, detail).with("status", status))
        }
        RefundRequested::TooMuch { left } => {
            let title = "Less than that is left of the payment";
            let detail = format!("{left} cents of the payment of order {order} can be refunded");
            Err(Problem::conflict("refund_too_large", title, detail).with("left_cents", left.get()))
        }
        RefundRequested::Missing => Err(missing()),
    }
}
