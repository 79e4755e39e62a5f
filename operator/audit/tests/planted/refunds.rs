//! Planted faults of refunds.

use anyhow::Result;

use crate::must_find;
use crate::sale_fixture::SaleFixture;

const ONCE: &str = "the provider returned each refund once, and nothing else";
const SUMS: &str = "refunds are within what was paid, orders agree with them";

#[tokio::test]
async fn finds_money_that_was_returned_twice() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.log(concat!(
        r#"{"event":"refund","key":"f3","reference":"p3","order":"103","amount_cents":2000}"#,
        "\n"
    ))?;
    let detail = "of payment p3 [2000, 2000] were returned, [2000] are recorded";
    must_find(sale, ONCE, detail).await
}

#[tokio::test]
async fn finds_a_refund_that_the_provider_never_made() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.sql(
        "UPDATE payments SET refund_cents = 500, refunded_cents = 500 WHERE reference = 'p1';
         INSERT INTO refunds (payment, amount_cents, of_order, state)
         VALUES (1, 500, true, 'refunded')",
    )
    .await?;
    let detail = "of payment p1 [] were returned, [500] are recorded";
    must_find(sale, ONCE, detail).await
}

#[tokio::test]
async fn finds_returned_money_that_no_refund_claims() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.log(concat!(
        r#"{"event":"refund","key":"f3","reference":"p1","order":"101","amount_cents":7}"#,
        "\n"
    ))?;
    let detail = "the provider returned 7 of payment p1, which no refund claims";
    must_find(sale, ONCE, detail).await
}

#[tokio::test]
async fn finds_more_refunds_than_were_paid() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.sql(
        "UPDATE payments SET refund_cents = 1100 WHERE reference = 'p2';
         INSERT INTO refunds (payment, amount_cents, of_order, state)
         VALUES (2, 800, true, 'refused')",
    )
    .await?;
    must_find(sale, SUMS, "payment p2 of 1000 has refunds of 1100").await
}

#[tokio::test]
async fn finds_an_order_that_keeps_its_seats_after_its_refund() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.sql(
        "UPDATE payments SET refund_cents = 1000, refunded_cents = 1000, status = 'refunded'
         WHERE reference = 'p2';
         UPDATE refunds SET amount_cents = 1000 WHERE payment = 2",
    )
    .await?;
    must_find(
        sale,
        SUMS,
        "order 102 is paid, its refunds make it refunded",
    )
    .await
}

#[tokio::test]
async fn finds_a_refund_that_never_ended() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.sql(
        "UPDATE refunds SET state = 'handed_out' WHERE payment = 2;
         UPDATE payments SET refunded_cents = 0 WHERE reference = 'p2'",
    )
    .await?;
    must_find(sale, "every refund has ended", "refund 2 is handed_out").await
}

#[tokio::test]
async fn finds_a_late_payment_without_a_refund() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.sql(
        "DELETE FROM refunds WHERE payment = 3;
         UPDATE payments SET status = 'to_refund', refund_cents = 0, refunded_cents = 0
         WHERE reference = 'p3'",
    )
    .await?;
    let detail = "payment p3 is to_refund, without a refund";
    must_find(sale, "every refund has ended", detail).await
}
