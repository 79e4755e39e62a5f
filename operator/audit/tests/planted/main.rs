//! The audit finds planted faults: each test corrupts one value of a sale that otherwise passes.

mod live;
mod operator;
mod refunds;
mod sale_fixture;

use anyhow::Result;
use sale_fixture::SaleFixture;

/// Runs the audit, which must fail and report the broken promise with a detail.
async fn must_find(sale: SaleFixture, promise: &str, detail: &str) -> Result<()> {
    let output = sale.audit()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        output.status.code(),
        Some(1),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let failed = text
        .lines()
        .any(|line| line.contains(promise) && line.ends_with("FAILED"));
    assert!(failed, "{promise:?} should have failed:\n{text}");
    assert!(
        text.contains(detail),
        "{detail:?} should be reported:\n{text}"
    );
    sale.remove().await
}

#[tokio::test]
async fn a_clean_sale_passes() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    let output = sale.audit()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!text.contains("FAILED"), "{text}");
    sale.remove().await
}

#[tokio::test]
async fn finds_a_seat_sold_twice_in_postgres() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.sql("UPDATE orders SET seats = '{1}', unit_price_cents = 1000 WHERE number = 102")
        .await?;
    must_find(sale, "no seat is sold twice", "seat 1: orders 101 and 102").await
}

#[tokio::test]
async fn finds_a_seat_promised_to_two_buyers() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.log(concat!(
        r#"{"event":"order","user":"eve","program":"7","key":"k5","http":202,"order":"105","seats":[0],"amount_cents":1000}"#,
        "\n",
        r#"{"event":"seen","user":"eve","order":"105","http":200,"status":"paid"}"#
    ))?;
    must_find(
        sale,
        "no seat was promised to two buyers who paid",
        "seat 0: orders 101 and 105",
    )
    .await
}

#[tokio::test]
async fn finds_a_held_seat_without_an_order() -> Result<()> {
    let mut sale = SaleFixture::clean().await?;
    sale.redis("SET", "program:7:seats:0:0", &["11110000"])
        .await?;
    sale.redis("HSET", "program:7:head", &["free:0", "4"])
        .await?;
    sale.redis(
        "HSET",
        "program:7:owner",
        &["3", "105:00000000000000000000000000000000"],
    )
    .await?;
    must_find(
        sale,
        "every held seat has a live order",
        "seat 3: held by order 105 (not in Postgres)",
    )
    .await
}

#[tokio::test]
async fn finds_an_unowned_seat_and_a_wrong_count() -> Result<()> {
    let mut sale = SaleFixture::clean().await?;
    sale.redis("SET", "program:7:seats:0:0", &["11110000"])
        .await?;
    must_find(
        sale,
        "maps, owners and free counts agree",
        "seat 3 is taken, but has no owner",
    )
    .await
}

#[tokio::test]
async fn finds_a_seat_that_only_redis_or_postgresql_blocks() -> Result<()> {
    let promise = "Redis blocks the seats that PostgreSQL blocks";
    for (sql, detail) in [
        (
            "DELETE FROM blocked_seats WHERE seat = 7",
            "seat 7 is blocked in Redis, but not",
        ),
        (
            "DELETE FROM blocked_seats WHERE seat = 2",
            "seat 2 is blocked in Redis, but not",
        ),
        (
            "INSERT INTO blocked_seats VALUES (7, 5)",
            "seat 5 is blocked in PostgreSQL, but not",
        ),
    ] {
        let sale = SaleFixture::clean().await?;
        sale.sql(sql).await?;
        must_find(sale, promise, detail).await?;
    }
    Ok(())
}

#[tokio::test]
async fn finds_a_sold_seat_free_in_redis() -> Result<()> {
    let mut sale = SaleFixture::clean().await?;
    sale.redis("HDEL", "program:7:owner", &["2"]).await?;
    must_find(
        sale,
        "every live order holds its seats",
        "seat 2 of order 102 has no owner",
    )
    .await
}

#[tokio::test]
async fn finds_an_accepted_order_that_was_lost() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.sql("DELETE FROM orders WHERE number = 103").await?;
    must_find(
        sale,
        "stored as it was answered",
        "order 103 of cid was accepted and is lost",
    )
    .await
}

#[tokio::test]
async fn finds_a_dropped_accepted_order() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.sql("UPDATE orders SET status = 'void' WHERE number = 103")
        .await?;
    must_find(
        sale,
        "no accepted order was dropped afterwards",
        "order 103 was accepted, then void",
    )
    .await
}

#[tokio::test]
async fn a_deleted_record_excuses_its_own_order_only() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.log("{\"event\":\"deleted\",\"order\":\"103\"}\n")?;
    sale.sql("UPDATE orders SET status = 'void' WHERE number = 103")
        .await?;
    assert_eq!(sale.audit()?.status.code(), Some(0));
    sale.log("{\"event\":\"deleted\",\"order\":\"102\"}\n")?;
    let detail = "order 103 was accepted, then void";
    must_find(sale, "no accepted order was dropped afterwards", detail).await
}

#[tokio::test]
async fn finds_an_order_reported_as_failed() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.sql("UPDATE orders SET number = 106, idempotency_key = 'k9' WHERE number = 103")
        .await?;
    must_find(
        sale,
        "whose request was answered as failed",
        "order 106 of cid is closed",
    )
    .await
}

#[tokio::test]
async fn finds_an_order_that_never_ended() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.sql("UPDATE orders SET status = 'unpaid' WHERE number = 103")
        .await?;
    must_find(
        sale,
        "every order is in a final state",
        "order 103 is still unpaid",
    )
    .await
}

#[tokio::test]
async fn finds_two_orders_of_one_key() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.sql("UPDATE orders SET idempotency_key = 'k1', user_id = 'ann' WHERE number = 102")
        .await?;
    must_find(sale, "one idempotency key makes one order", "ann key k1").await
}

#[tokio::test]
async fn finds_a_buyer_above_the_limit() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.sql("UPDATE programs SET user_limit = 1").await?;
    must_find(
        sale,
        "no buyer has more tickets than the limit",
        "ann has 2 tickets, limit 1",
    )
    .await
}

#[tokio::test]
async fn finds_money_that_is_off_by_a_cent() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.sql("UPDATE payments SET amount_cents = 1999 WHERE reference = 'p1'")
        .await?;
    must_find(
        sale,
        "money adds up",
        "paid orders cost 3000 cents, applied payments are 2999",
    )
    .await
}

#[tokio::test]
async fn finds_a_late_payment_that_was_swallowed() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.sql("DELETE FROM payments WHERE reference = 'p3'")
        .await?;
    must_find(
        sale,
        "every payment made is on record",
        "payment p3 of 2000 for order 103 is lost",
    )
    .await
}

#[tokio::test]
async fn finds_a_dropped_payment_of_a_reused_reference() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    let reused = r#"{"t":9,"event":"pay","order":"102","reference":"p1","amount_cents":1000,"http":409,"code":"payment_reference_reused"}"#;
    sale.log(&format!("{reused}\n"))?;
    must_find(
        sale,
        "every payment made is on record",
        "payment p1 of 1000 for order 102 is on record as 2000 for 101",
    )
    .await
}

#[tokio::test]
async fn finds_a_paid_order_that_was_closed() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.sql("UPDATE orders SET status = 'closed' WHERE number = 102")
        .await?;
    must_find(
        sale,
        "no paid order was closed",
        "order 102 was paid and is closed",
    )
    .await
}

#[tokio::test]
async fn finds_what_a_finished_run_left_over() -> Result<()> {
    let mut sale = SaleFixture::clean().await?;
    sale.redis("ZADD", "delay:order-timeout:due", &["5", "103"])
        .await?;
    sale.redis("SET", "resv:105", &["accepted 1 0:3:4 "])
        .await?;
    // As an earlier version wrote it.
    sale.redis("HSET", "resv:106", &["state", "held"]).await?;
    sale.sql("UPDATE orders SET dirty = true WHERE number = 101")
        .await?;
    sale.sql("INSERT INTO unsettled VALUES ('{102}')").await?;
    sale.sql("INSERT INTO parked VALUES ('t', 0, 9, 'not JSON')")
        .await?;
    let output = sale.audit()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for detail in [
        "delay entry order-timeout 103",
        "order 105: reservation accepted",
        "order 106: reservation held",
        "order 101 (paid) is dirty",
        "order 102 was stored, and the gate is not settled by it",
        "t-0@9: not JSON",
    ] {
        assert!(
            text.contains(detail),
            "{detail:?} should be reported:\n{text}"
        );
    }
    assert_eq!(output.status.code(), Some(1));
    sale.remove().await
}

#[tokio::test]
async fn unreadable_input_has_no_result() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    let missing = sale.audit_logs("/nonexistent".as_ref())?;
    assert_eq!(missing.status.code(), Some(2));
    sale.log("{\"event\":\"order\"}\n")?;
    let broken = sale.audit()?;
    assert_eq!(
        broken.status.code(),
        Some(2),
        "a log with a line that cannot be read proves nothing"
    );
    assert!(String::from_utf8_lossy(&broken.stderr).contains("more.jsonl:1"));
    sale.sql("ALTER TABLE payments RENAME TO money").await?;
    std::fs::remove_file(sale.log_file("more.jsonl"))?;
    let unread = sale.audit()?;
    assert_eq!(
        unread.status.code(),
        Some(2),
        "a missing table is no clean table"
    );
    sale.remove().await
}
