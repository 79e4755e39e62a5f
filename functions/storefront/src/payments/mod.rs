//! Payments: notifications of the provider, and what operators see of them.
//!
//! A notification is believed by its signature and its time, and recorded once. Money that pays no order is kept to be refunded
//! ([`list`], [`refunded`]).

mod operators;
pub mod signature;

pub(crate) use operators::view;
pub use operators::{list, refunded};
use serde::Deserialize;
use serde_json::json;
use shared::message::{Cents, OrderNumber};
use shared::store::{Payment, PaymentResult};
use shared::telemetry::MetricLine;

use crate::http::{Call, Problem, Reply};
use crate::orders;
use crate::storefront::Storefront;

/// What the provider sends. Further members are the provider's business.
#[derive(Deserialize)]
struct Notification {
    reference: String,
    order: OrderNumber,
    amount_cents: Cents,
}

/// `POST /payments`. Answers 200 for whatever was recorded, so that the provider does not repeat it for ever: the result says what
/// became of it, and money that bought nothing is marked to be refunded. A reference that was another payment's is answered 409, since
/// one side has made a mistake; its money is recorded all the same.
pub async fn receive(shop: &Storefront, call: &Call) -> Result<Reply, Problem> {
    believe(shop, call)?;
    let Notification {
        reference,
        order,
        amount_cents,
    } = call.json()?;
    let reference = checked_reference(&reference)?.to_owned();
    let payment = Payment {
        reference,
        order,
        amount: amount_cents,
    };
    let paid = shop.store.pay(&payment).await?;
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
            return Err(reused(shop, &payment, new, (first_order, first_amount)));
        }
    };
    if let (PaymentResult::Applied, Some(row)) = (paid.result, &paid.row) {
        orders::settle(shop, row).await;
    }
    if paid.result == PaymentResult::Unmatched {
        // Create and this payment each look for the other after their own commit: neither saw the other's before.
        for row in shop.store.match_payments(&[order]).await? {
            orders::settle(shop, &row).await;
        }
    }
    tracing::info!(%order, result, "payment");
    Ok(Reply::ok(json!({ "result": result })))
}

/// Refuses what the provider did not sign. A header that cannot be read is no signature.
fn believe(shop: &Storefront, call: &Call) -> Result<(), Problem> {
    let header = |name: &str| call.headers.get(name).ok().flatten();
    let timestamp = header("x-payment-timestamp");
    let signatures = header("x-payment-signature");
    let keys: Vec<&[u8]> = shop
        .settings
        .webhook_secrets
        .iter()
        .map(|secret| secret.expose().as_bytes())
        .collect();
    let now = shop.clock.now_s();
    let tolerance = shop.settings.webhook_tolerance;
    signature::check(&keys, timestamp, signatures, &call.body, now, tolerance).map_err(|why| {
        tracing::warn!(%why, "a payment notification was not believed");
        Problem::new(
            401,
            "bad_signature",
            "The notification is not believed",
            "signature or timestamp do not hold",
        )
    })
}

/// 1 to 128 characters without control characters.
fn checked_reference(reference: &str) -> Result<&str, Problem> {
    if reference.is_empty()
        || reference.chars().count() > 128
        || reference.chars().any(char::is_control)
    {
        return Err(Problem::malformed(
            "reference must be 1 to 128 characters without control characters",
        ));
    }
    Ok(reference)
}

/// A second payment under one reference: recorded, and an operator is called for.
fn reused(
    shop: &Storefront,
    payment: &Payment,
    new: bool,
    (first_order, first_amount): (OrderNumber, Cents),
) -> Problem {
    let (reference, order, amount_cents) =
        (&payment.reference, payment.order, payment.amount.get());
    let first_amount_cents = first_amount.get();
    if new {
        tracing::error!(
            alarm = "payment_reference_reused", reference, %order, amount_cents, %first_order, first_amount_cents,
            "a payment came under the reference of another; it is to be refunded"
        );
        MetricLine::new(&shop.settings.names)
            .count("PaymentReferencesReused", 1)
            .emit();
    } else {
        tracing::warn!(reference, %order, amount_cents, %first_order, first_amount_cents, "that payment is recorded, to be refunded");
    }
    let detail = format!(
        "reference {reference} stands for a payment of {first_amount_cents} cents for order {first_order}; this one is recorded \
         beside it, to be refunded"
    );
    Problem::new(
        409,
        "payment_reference_reused",
        "The reference is another payment's",
        detail,
    )
    .with("result", "to_refund")
    .with("order", order.to_string())
    .with("first_order", first_order.to_string())
    .with("first_amount_cents", first_amount_cents)
}
