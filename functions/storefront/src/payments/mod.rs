//! What the payment provider tells. A notification is believed by its signature and its time, and recorded once by its reference.

pub mod signature;

use serde::Deserialize;
use serde_json::json;
use shared::message::{Cents, OrderNumber};
use shared::store::{Payment, PaymentResult};

use crate::http::{Call, Problem, Reply};
use crate::orders;
use crate::storefront::Storefront;

#[derive(Deserialize)]
struct Notification {
    reference: String,
    order: OrderNumber,
    amount_cents: Cents,
}

/// `POST /payments`. Answers 200 for whatever was recorded, so that the provider does not repeat it for ever: the result says what
/// became of it, and money that bought nothing is marked to be refunded.
pub async fn receive(shop: &Storefront, call: &Call) -> Result<Reply, Problem> {
    let header = |name: &str| call.headers.get(name).map(String::as_str);
    let (timestamp, signed) = (header("x-payment-timestamp"), header("x-payment-signature"));
    let (secret, tolerance) = (shop.settings.webhook_secret.expose().as_bytes(), shop.settings.webhook_tolerance);
    signature::check(secret, timestamp, signed, &call.body, shop.clock.now_s(), tolerance).map_err(|why| {
        tracing::warn!(%why, "a payment notification was not believed");
        Problem::new(401, "bad_signature", "The notification is not believed", "signature or timestamp do not hold")
    })?;
    let Notification { reference, order, amount_cents } = call.json()?;
    if reference.is_empty() || reference.chars().count() > 128 || reference.chars().any(char::is_control) {
        return Err(Problem::malformed("reference must be 1 to 128 characters without control characters"));
    }
    let paid = shop.store.pay(&Payment { reference, order, amount: amount_cents }).await?;
    let result = match paid.result {
        PaymentResult::Applied => "applied",
        PaymentResult::Duplicate => "duplicate",
        PaymentResult::Unmatched => "unmatched",
        PaymentResult::ToRefund => "to_refund",
        PaymentResult::AmountDiffers => "amount_differs",
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
