//! Fills topics before a consumer reads them.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use serde_json::json;
use shared::message::{
    BodyHash, CategoryNo, Cents, IdempotencyKey, Nonce, OrderNumber, OrderRequested, ProgramId,
    SeatIndex, Shard, UserId,
};
use ticket_rush::topics::PARTITIONS;

/// Maximum seats of a program.
pub(crate) const SEATS: u32 = 200_000;

/// Time to pay of an order.
const PAY_WINDOW_MS: u64 = 3_600_000;

/// A program to order from.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub id: ProgramId,
    pub shard: Shard,
}

/// Number of programs for this many orders of two seats.
pub(crate) fn programs(orders: u32) -> u32 {
    (2 * orders).div_ceil(SEATS)
}

/// Writes orders as storefront sends them: keyed by order number, two seats each; to the partitions
/// in turn.
pub(crate) fn fill(
    brokers: &str,
    topic: &str,
    orders: Range<u32>,
    programs: &[Program],
    now_ms: u64,
) -> Result<()> {
    write(
        brokers,
        topic,
        orders.map(|n| {
            let order = order(n, programs, now_ms)?;
            Ok((order.order.to_string(), serde_json::to_string(&order)?))
        }),
    )
}

/// Writes `calls` API calls.
pub(crate) fn fill_calls(brokers: &str, topic: &str, calls: u32, now_ms: u64) -> Result<()> {
    write(
        brokers,
        topic,
        (0..calls).map(|n| Ok((n.to_string(), call(n, now_ms)))),
    )
}

/// Writes events of `size` bytes of JSON that hardly compress.
pub(crate) fn fill_events(brokers: &str, topic: &str, events: u32, size: usize) -> Result<()> {
    write(
        brokers,
        topic,
        (0..events).map(|n| Ok((n.to_string(), event(n, size)))),
    )
}

/// Writes keys and values, spread over the partitions.
fn write(
    brokers: &str,
    topic: &str,
    messages: impl Iterator<Item = Result<(String, String)>>,
) -> Result<()> {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", brokers)
        .set("linger.ms", "20")
        .set("acks", "all")
        .set("compression.type", "lz4");
    let producer: ThreadedProducer<DefaultProducerContext> =
        settings.create().context("Kafka's settings are wrong")?;
    for (n, message) in messages.enumerate() {
        let (key, value) = message?;
        let mut record = BaseRecord::to(topic)
            .partition(n as i32 % PARTITIONS)
            .key(&key)
            .payload(&value);
        while let Err((error, back)) = producer.send(record) {
            if !matches!(
                error,
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)
            ) {
                return Err(error).context("the topic cannot be filled");
            }
            std::thread::sleep(Duration::from_millis(2)); // the producer's own queue is full
            record = back;
        }
    }
    producer
        .flush(Duration::from_mins(1))
        .context("Kafka does not take what was sent")
}

/// One event: the fields of a page view, padded with random characters.
fn event(n: u32, size: usize) -> String {
    let mut noise = u64::from(n)
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise
    };
    let mut text = format!(
        r#"{{"id":{n},"type":"page.view","user":{},"session":"{:016x}","path":"/programs/{}/seats","ip":"10.1.{}.{}","note":""#,
        next() % 1_000_000,
        next(),
        next() % 5_000,
        next() % 256,
        next() % 256
    );
    while text.len() + 2 < size {
        text.push(char::from(b'a' + (next() % 26) as u8));
    }
    text + r#""}"#
}

/// One call.
fn call(n: u32, now_ms: u64) -> String {
    json!({
        "v": 1, "id": format!("{n:032x}"), "at_ms": now_ms, "method": "GET",
            "route": "/programs/{id}", "url": format!("/programs/{n}"),
        "status": 200, "duration_us": n % 9_000, "client": "bench", "ip": "127.0.0.1",
            "instance": "bench",
    })
    .to_string()
}

/// One order. Its number: milliseconds since 2024, shard, 16 bits that make it unique.
pub(crate) fn order(n: u32, programs: &[Program], now_ms: u64) -> Result<OrderRequested> {
    let program = &programs[(2 * n / SEATS) as usize];
    let seat = 2 * n % SEATS;
    let price = Cents::new(1_000)?;
    Ok(OrderRequested {
        v: 1,
        order: OrderNumber::compose(now_ms + u64::from(n >> 16), program.shard, n as u16)?,
        nonce: Nonce::new((u128::from(n) + 1).to_be_bytes()),
        user: UserId::new(format!("buyer-{}", n % 50_000))?,
        program: program.id,
        category: CategoryNo::new(0)?,
        seats: vec![SeatIndex::new(seat)?, SeatIndex::new(seat + 1)?],
        unit_price_cents: price,
        amount_cents: price.times(2)?,
        idempotency_key: Some(IdempotencyKey::new(format!("key-{n}"))?),
        idempotency_hash: Some(BodyHash::new([n as u8; 32])),
        pay_by_ms: (now_ms + PAY_WINDOW_MS) as i64,
        trace: Some(format!(
            "00-{:032x}-{:016x}-01",
            u128::from(n) + 1,
            u64::from(n) + 1
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::api_calls::ApiCall;

    #[test]
    fn every_event_is_json_of_its_size() {
        for n in [0, 1, 4_294_967_295] {
            let event = event(n, 300);
            assert_eq!(event.len(), 300);
            serde_json::from_str::<serde_json::Value>(&event).expect("JSON");
        }
    }

    #[test]
    fn every_call_is_one_that_the_collector_reads() {
        for n in [0, 1, 19_999] {
            serde_json::from_str::<ApiCall>(&call(n, 1_795_000_000_000)).expect("a valid call");
        }
    }

    #[test]
    fn every_order_is_valid_and_has_its_own_number() {
        let program = |id, shard| Program {
            id: ProgramId::new(id).expect("valid"),
            shard: Shard::new(shard).expect("valid"),
        };
        let programs = [program(7, 3), program(8, 63)];
        let mut numbers = std::collections::BTreeSet::new();
        for n in (0..200_000).step_by(977) {
            let order = order(n, &programs, 1_795_000_000_000).expect("values within bounds");
            order.check().expect("a valid message");
            assert!(numbers.insert(order.order), "numbers are unique");
        }
        assert_eq!(super::programs(200_000), 2);
    }
}
