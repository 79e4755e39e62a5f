//! Unreadable records are parked with their reason and delay no other record.

use std::time::Duration;

use anyhow::Result;
use journeys::{TestEnvironment, until};
use sqlx::Row;
use ticket_rush::api::SeatSelection;
use ticket_rush::topics::PARTITIONS;

#[tokio::test]
async fn poison_is_parked_and_blocks_no_record() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let noise: Vec<u8> = (0..900_000).map(|_| rand::random()).collect();
    let nul = br#"{"v":1,"order":"123456789","nonce":"00000000000000000000000000000000","user":"a\u0000b"}"#;
    let wrong_types = br#"{"v":"one","order":7,"nonce":[],"user":{},"program":true}"#;
    let poison: [(&str, Option<&[u8]>); 5] = [
        ("not JSON", Some(b"hello")),
        ("wrong types", Some(wrong_types)),
        ("noise", Some(&noise)),
        ("NUL in text", Some(nul)),
        ("null value", None),
    ];
    for partition in 0..PARTITIONS {
        for (name, value) in poison {
            env.produce(partition, name.as_bytes(), value).await?;
        }
    }
    let host = env.up().await?;
    let program = env.sale(4, 20, Duration::from_mins(10), 6).await?;
    let mut orders = Vec::new();
    for n in 0..12 {
        let buyer = env.buyer(&format!("buyer-{n}"))?;
        let order = env
            .order(&buyer, &program, SeatSelection::Best(2), "k")
            .await?;
        orders.push((buyer, order.order));
    }
    for (buyer, order) in &orders {
        env.until_status(buyer, order, "unpaid").await?;
    }
    let expected = i64::from(PARTITIONS) * poison.len() as i64;
    until("every poison is parked", async || {
        Ok((env.count("SELECT count(*) FROM parked").await? == expected).then_some(()))
    })
    .await?;
    let rows = sqlx::query("SELECT key, reason, length(value)::int8 AS size FROM parked")
        .fetch_all(&env.db)
        .await?;
    for (name, value) in poison {
        let of_kind: Vec<_> = rows
            .iter()
            .filter(|r| r.get::<Option<Vec<u8>>, _>("key").as_deref() == Some(name.as_bytes()))
            .collect();
        assert_eq!(of_kind.len(), PARTITIONS as usize, "{name}");
        for row in of_kind {
            assert!(
                !row.get::<String, _>("reason").is_empty(),
                "{name} has no reason"
            );
            assert_eq!(
                row.get::<Option<i64>, _>("size"),
                value.map(|v| v.len() as i64),
                "{name} is stored completely"
            );
        }
    }
    let parked = expected.to_string();
    env.audited(&["--parked", &parked]).await?;
    host.stop().await?;
    env.remove().await
}
