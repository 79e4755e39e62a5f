//! An operator decides about a refund that is not ended, or about a payment without an order.

use serde::Deserialize;
use serde_json::json;
use shared::message::OrderNumber;
use shared::sale::Status;
use shared::store::{Assigned, PaymentId, RefundDone, RefundId, RefundState};

use super::{checked_note, handed_out, no_such_refund, view};
use crate::app::App;
use crate::http::{Call, Problem, Reply};
use crate::payments;
use crate::settle::settle;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoteBody {
    note: String,
}

/// `POST /refunds/{id}/refunded`: an operator has returned the money, so that the provider gets the
/// refund no more. Idempotent; the first note is kept.
pub async fn recorded(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user_with("payments:write")?;
    let number: RefundId = id.parse().map_err(|_| no_such_refund(id))?;
    let NoteBody { note: text } = call.json()?;
    let done = app
        .store
        .refund_done_by(number, &user, checked_note(&text)?)
        .await?;
    let refund = app.store.refund(number).await?;
    let refund = refund.ok_or_else(|| no_such_refund(id))?;
    if let RefundDone::Recorded(order) = done {
        tracing::info!(refund = id, order = %refund.order, by = user.as_str(), "refunded");
        if let Some(order) = order
            && let Some(row) = app.store.order(order).await?
        {
            settle(app, &row).await;
        }
    } else if refund.state != RefundState::Refunded {
        return Err(handed_out(format_args!("refund {id}")));
    }
    Ok(Reply::ok(view(&refund)))
}

/// `POST /refunds/{id}/retry`: the provider gets a refund again that it has refused, under another
/// key.
pub async fn retry(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user_with("payments:write")?;
    let number: RefundId = id.parse().map_err(|_| no_such_refund(id))?;
    let retried = app.store.retry_refund(number).await?;
    let refund = app.store.refund(number).await?;
    let refund = refund.ok_or_else(|| no_such_refund(id))?;
    if !retried {
        let state = refund.state.as_str();
        let title = "The refund is not refused";
        let detail = format!("refund {id} is {state}; only a refused one is tried again");
        return Err(Problem::conflict("not_refused", title, detail).with("state", state));
    }
    tracing::info!(
        refund = id,
        by = user.as_str(),
        "an operator retries a refund"
    );
    Ok(Reply::ok(view(&refund)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AssignBody {
    order: OrderNumber,
}

/// `POST /payments/{id}/assign`: a payment that waits for its order belongs to another one, which
/// it pays if it can. Idempotent.
pub async fn assign(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user_with("payments:write")?;
    let missing =
        || Problem::not_found("no_such_payment", format_args!("there is no payment {id}"));
    let number: PaymentId = id.parse().map_err(|_| missing())?;
    let AssignBody { order } = call.json()?;
    match app.store.assign_payment(number, order, &user).await? {
        Assigned::Yes {
            payment,
            order: row,
        } => {
            let state = payment.state.as_str();
            tracing::info!(payment = id, %order, state, by = user.as_str(), "payment assigned");
            if row.status == Status::Paid {
                settle(app, &row).await;
            }
            Ok(Reply::ok(payments::view(&payment)))
        }
        Assigned::NotWaiting(payment) => {
            let state = payment.state.as_str();
            let title = "The payment waits for no order";
            let detail = format!("payment {id} is {state}; only an unmatched one is assigned");
            Err(Problem::conflict("not_unmatched", title, detail).with("state", state))
        }
        Assigned::Recorded => {
            let title = "The order has this payment";
            let detail = format!(
                "a payment of the same reference and amount is on record for order {order}"
            );
            Err(Problem::conflict("payment_recorded", title, detail))
        }
        Assigned::NoPayment => Err(missing()),
        Assigned::NoOrder => {
            let detail = format!("there is no order {order}");
            Err(Problem::not_found("no_such_order", detail).with("order", json!(order)))
        }
    }
}
