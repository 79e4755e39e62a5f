//! Payments: notifications of the provider, and the list for operators.
//!
//! A notification with a valid signature and timestamp is recorded once. A payment that pays no
//! order is recorded as to be refunded ([`list`], [`refunded`]).

mod operators;

pub(crate) use operators::view;
pub use operators::{list, refunded};
use serde::Deserialize;
use serde_json::json;
use shared::access::SourceError;
use shared::config::Secret;
use shared::message::{Cents, OrderNumber};
use shared::signature::{self, SignatureError};
use shared::store::{Payment, PaymentResult};
use shared::telemetry::MetricLine;

use crate::app::App;
use crate::http::{Call, Problem, Reply, is_line, now_ms};
use crate::settle::settle;

/// Body of a notification. Unknown members are ignored.
#[derive(Deserialize)]
struct Notification {
    reference: String,
    order: OrderNumber,
    amount_cents: Cents,
}

/// `POST /payments`. Answers 200 for every recorded payment, so that the provider stops repeating
/// it: the result names the outcome, and a payment that pays no order is marked to be refunded. The
/// reference of another payment is answered 409, since one side has made a mistake; the payment is
/// recorded nevertheless.
pub async fn receive(app: &App, call: &Call) -> Result<Reply, Problem> {
    verify(app, call).await?;
    let notification: Notification = call.json()?;
    let order = notification.order;
    let payment = Payment {
        reference: reference(&notification.reference)
            .ok_or_else(|| Problem::malformed(REFERENCE))?,
        order,
        amount: notification.amount_cents,
    };
    let paid = app.store.pay(&payment).await?;
    let result = match paid.result {
        PaymentResult::Applied => "applied",
        PaymentResult::Duplicate => "duplicate",
        PaymentResult::Unmatched => "unmatched",
        PaymentResult::ToRefund => "to_refund",
        PaymentResult::AmountDiffers => "amount_differs",
        PaymentResult::ReferenceReused {
            new,
            first_order,
            first_amount,
        } => {
            return Err(reused(app, &payment, new, (first_order, first_amount)));
        }
    };
    if let (PaymentResult::Applied, Some(row)) = (paid.result, &paid.row) {
        settle(app, row).await;
    }
    tracing::info!(%order, result, "payment");
    Ok(Reply::ok(json!({ "result": result })))
}

/// Refuses a notification without a valid signature. An unreadable header is no signature. If none
/// of the keys has made it, the keys may have been replaced: they are read again.
async fn verify(app: &App, call: &Call) -> Result<(), Problem> {
    let keys = app.webhook_keys.current().await.map_err(no_keys)?;
    let mut checked = check(app, call, &keys);
    if checked == Err(SignatureError::Mismatch) {
        match app.webhook_keys.after(&keys).await {
            Ok(Some(others)) => checked = check(app, call, &others),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the keys of payments cannot be read again"),
        }
    }
    checked.map_err(|why| {
        tracing::warn!(%why, "refused a payment notification");
        let detail = "the signature or the timestamp is not valid";
        Problem::new(401, "bad_signature", "The notification is refused", detail)
    })
}

fn check(app: &App, call: &Call, keys: &[Secret]) -> Result<(), SignatureError> {
    let header = |name: &str| call.headers.get(name).ok().flatten();
    let timestamp = header("x-payment-timestamp");
    let signatures = header("x-payment-signature");
    let keys: Vec<_> = keys.iter().map(|key| key.expose().as_bytes()).collect();
    let now = now_ms() / 1000;
    let tolerance = app.settings.webhook_tolerance;
    signature::check(&keys, timestamp, signatures, &call.body, now, tolerance)
}

/// The provider repeats the notification.
#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn no_keys(error: SourceError) -> Problem {
    tracing::error!(%error, "the keys of payments cannot be read");
    Problem::unavailable("the notification cannot be verified now; send it again")
}

const REFERENCE: &str = "reference must be 1 to 128 characters without control characters";

fn reference(text: &str) -> Option<String> {
    is_line(text, 128).then(|| text.to_owned())
}

/// A second payment under one reference: it is recorded, and the first report raises an alarm.
fn reused(
    app: &App,
    payment: &Payment,
    new: bool,
    (first_order, first_amount): (OrderNumber, Cents),
) -> Problem {
    let reference = &payment.reference;
    let order = payment.order;
    let amount_cents = payment.amount.get();
    let first_amount_cents = first_amount.get();
    if new {
        tracing::error!(
            alarm = "payment_reference_reused",
            reference, %order, amount_cents, %first_order, first_amount_cents,
            "a payment has the reference of another payment; it is to be refunded"
        );
        MetricLine::new(&app.settings.names)
            .count("PaymentReferencesReused", 1)
            .emit();
    } else {
        tracing::warn!(
            reference, %order, amount_cents, %first_order, first_amount_cents,
            "a payment under a reused reference is already recorded, to be refunded"
        );
    }
    let detail = format!(
        "reference {reference} belongs to a payment of {first_amount_cents} cents for order \
         {first_order}; this one is recorded beside it, to be refunded"
    );
    let title = "The reference belongs to another payment";
    Problem::conflict("payment_reference_reused", title, detail)
        .with("result", "to_refund")
        .with("order", order.to_string())
        .with("first_order", first_order.to_string())
        .with("first_amount_cents", first_amount_cents)
}
