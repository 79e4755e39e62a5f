//! The audit of a running system, without client logs.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::sale_fixture::SaleFixture;

const NONCE: &str = "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5";

/// Numbers of the checks that failed.
fn failed(output: &Output) -> Result<BTreeSet<String>> {
    let text = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).with_context(|| text.into_owned())?;
    let checks = report["checks"].as_array().context("checks")?;
    let failed = checks
        .iter()
        .filter(|c| c["discrepancies"] != Value::Array(vec![]));
    let failed: BTreeSet<String> = failed.map(|c| c["number"].to_string()).collect();
    assert_eq!(report["ok"], failed.is_empty());
    let numbers = failed
        .iter()
        .map(|number| number.trim_matches('"').to_owned());
    Ok(numbers.collect())
}

/// The numbers that an audit without logs reports, in two passes without a pause.
fn found(sale: &SaleFixture) -> Result<BTreeSet<String>> {
    failed(&sale.audit_with(&["--pause", "0", "--json"])?)
}

fn numbers(expected: &[&str]) -> BTreeSet<String> {
    expected.iter().map(|number| (*number).to_owned()).collect()
}

/// Order 105 has reserved seat 6.
async fn reserve(sale: &mut SaleFixture, state: &str) -> Result<()> {
    let owner = format!("105:{NONCE}");
    sale.redis("SETRANGE", "program:7:seats:0:0", &["6", "1"])
        .await?;
    sale.redis("HSET", "program:7:owner", &["6", &owner])
        .await?;
    sale.redis("SET", "program:7:longest:0", &["C"]).await?;
    sale.redis("HSET", "program:7:head", &["free:0", "3"])
        .await?;
    sale.redis("HSET", "program:7:user:eve", &["105", "1"])
        .await?;
    let reservation = format!("{state} 1 0:3:4 {NONCE} 7 0 1000 6 eve \n");
    sale.redis("SET", "resv:105", &[&reservation]).await
}

#[tokio::test]
async fn a_clean_sale_passes_without_logs() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    assert_eq!(found(&sale)?, numbers(&[]));
    let over = sale.audit_with(&["--final", "--json"])?;
    assert_eq!(failed(&over)?, numbers(&[]));
    sale.remove().await
}

#[tokio::test]
async fn the_servers_alone_show_what_is_wrong() -> Result<()> {
    let mut sale = SaleFixture::clean().await?;
    // 102 claims a seat of 101, paid twice, and costs another amount; 103 has a key of 101.
    sale.sql(
        "UPDATE orders SET seats = '{1}' WHERE number = 102;
         UPDATE orders SET user_id = 'ann', idempotency_key = 'k1' WHERE number = 103;
         INSERT INTO payments (reference, order_number, amount_cents, status)
         VALUES ('p9', 102, 1000, 'applied'), ('p8', 101, 5, 'unmatched');
         UPDATE payments SET refund_cents = 7 WHERE reference = 'p1';
         UPDATE programs SET user_limit = 1;
         INSERT INTO parked VALUES ('t', 0, 9, 'not JSON')",
    )
    .await?;
    sale.redis("HSET", "program:7:user:ann", &["101", "9"])
        .await?;
    sale.redis("SET", "program:7:longest:0", &["C"]).await?;
    sale.redis("SET", "resv:106", &["held 1  ab 7 0 1000 3 eve \n"])
        .await?;
    let expected = [
        "L1", "L3", "M1", "M4", "M5", "M8", "O4", "O5", "S1", "S3", "S4", "S5", "S6", "S7",
    ];
    assert_eq!(found(&sale)?, numbers(&expected));
    sale.remove().await
}

#[tokio::test]
async fn an_order_in_flight_is_no_discrepancy() -> Result<()> {
    let mut sale = SaleFixture::clean().await?;
    for state in ["held", "accepted", "abandoning"] {
        reserve(&mut sale, state).await?;
        sale.redis("ZADD", "delay:order-timeout:due", &["5", "105"])
            .await?;
        assert_eq!(found(&sale)?, numbers(&[]), "{state}");
    }
    // Nothing ends it.
    sale.redis("ZREM", "delay:order-timeout:due", &["105"])
        .await?;
    assert_eq!(found(&sale)?, numbers(&["L3", "S5", "S7"]));
    sale.remove().await
}

#[tokio::test]
async fn an_order_that_is_not_settled_is_reported_once() -> Result<()> {
    let mut sale = SaleFixture::clean().await?;
    sale.redis("HDEL", "program:7:owner", &["2"]).await?;
    sale.redis("SET", "program:7:seats:0:0", &["11200002"])
        .await?;
    sale.redis("DEL", "program:7:user:bob", &[]).await?;
    assert_eq!(found(&sale)?, numbers(&["S6", "S7"]));
    sale.sql("UPDATE orders SET dirty = true WHERE number = 102")
        .await?;
    assert_eq!(found(&sale)?, numbers(&["L4"]));
    sale.sql("UPDATE orders SET dirty = false; INSERT INTO unsettled VALUES ('{102}')")
        .await?;
    assert_eq!(found(&sale)?, numbers(&["L4"]));
    sale.remove().await
}

#[tokio::test]
async fn a_program_that_is_being_filled_is_reported_once() -> Result<()> {
    let mut sale = SaleFixture::clean().await?;
    sale.redis("HDEL", "program:7:owner", &["2"]).await?;
    sale.redis("SET", "program:7:seats:0:0", &["11200002"])
        .await?;
    sale.redis("HSET", "program:7:head", &["state", "loading"])
        .await?;
    assert_eq!(found(&sale)?, numbers(&["L5"]));
    sale.remove().await
}

#[tokio::test]
async fn a_write_under_way_is_not_reported() -> Result<()> {
    let sale = SaleFixture::clean().await?;
    sale.sql("UPDATE orders SET dirty = true WHERE number = 101")
        .await?;
    let mut audit = sale.command(&["--pause", "2", "--json"]);
    let mut audit = audit
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    BufReader::new(audit.stderr.take().context("stderr")?).read_line(&mut said)?;
    assert!(said.contains("the first pass found differences"), "{said}");
    sale.sql("UPDATE orders SET dirty = (number = 102)").await?;
    assert_eq!(failed(&audit.wait_with_output()?)?, numbers(&[]));
    sale.remove().await
}
