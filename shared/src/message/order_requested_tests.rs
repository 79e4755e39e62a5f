//! What a message promises: it survives its encoding, its bounds hold, and its published schema
//! says the same.

use proptest::collection::btree_set;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::published_tests::{assert_current, validator};
use super::super::values::Shard;
use super::*;

prop_compose! {
    fn orders()(
        order in 1..=i64::MAX,
        nonce: [u8; 16],
        user in "[!-~]{1,128}",
        program in 1..1_i64 << 53,
        category in 0..100_u16,
        seats in btree_set(0..1_000_000_u32, 1..=MAX_SEATS_PER_ORDER),
        unit_price in 0..=1_000_000_000_i64,
        key in option::of("[!-~]{1,64}"),
        hash: Option<[u8; 32]>,
        pay_by_ms in 0..=i64::MAX,
        trace in option::of("[!-~]{0,128}"),
    ) -> OrderRequested {
        let unit_price_cents = Cents::new(unit_price).expect("in bounds");
        OrderRequested {
            v: 1,
            order: OrderNumber::new(order).expect("in bounds"),
            nonce: Nonce::new(nonce),
            user: UserId::new(user).expect("in bounds"),
            program: ProgramId::new(program).expect("in bounds"),
            category: CategoryNo::new(category).expect("in bounds"),
            amount_cents: unit_price_cents.times(seats.len()).expect("in bounds"),
            seats: seats.into_iter().map(|s| SeatIndex::new(s).expect("in bounds")).collect(),
            unit_price_cents,
            idempotency_key: key.map(|k| IdempotencyKey::new(k).expect("in bounds")),
            idempotency_hash: hash.map(BodyHash::new),
            pay_by_ms,
            trace,
        }
    }
}

fn sample() -> Value {
    json!({
        "v": 1, "order": "381265920001048577", "nonce": "000102030405060708090a0b0c0d0e0f",
            "user": "alice", "program": "17",
        "category": 0, "seats": [4, 5], "unit_price_cents": 2500, "amount_cents": 5000,
            "idempotency_key": "k-1",
        "idempotency_hash": "ab".repeat(32),
        "pay_by_ms": 1_795_000_000_000_i64,
            "trace": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut message = sample();
    message[field] = value;
    message
}

/// Messages out of bounds, with whether JSON Schema can say so (it cannot compare fields with each
/// other).
fn out_of_bounds() -> Vec<(Value, bool)> {
    let mut cases = vec![
        (with("v", json!(0)), true),
        (with("v", json!(2)), true),
        (with("v", json!("1")), true),
        (with("order", json!("0")), true),
        (with("order", json!("-1")), true),
        (with("order", json!("007")), true),
        (with("order", json!("9223372036854775808")), false),
        (with("order", json!(17)), true),
        (
            with("nonce", json!("000102030405060708090a0b0c0d0e0")),
            true,
        ),
        (
            with("nonce", json!("000102030405060708090A0B0C0D0E0F")),
            true,
        ),
        (with("user", json!("")), true),
        (with("user", json!("a b")), true),
        (with("user", json!("a\u{0}b")), true),
        (with("user", json!("ü")), true),
        (with("user", json!("u".repeat(129))), true),
        (with("program", json!("0")), true),
        (with("program", json!("9007199254740992")), false),
        (with("program", json!(17)), true),
        (with("category", json!(100)), true),
        (with("category", json!(-1)), true),
        (with("seats", json!([])), true),
        (with("seats", json!([5, 4])), false),
        (with("seats", json!([4, 4])), true),
        (with("seats", json!([4, 1_000_000])), true),
        (with("seats", json!([4, -5])), true),
        (with("seats", json!((0..21).collect::<Vec<_>>())), true),
        (with("unit_price_cents", json!(-1)), true),
        (with("unit_price_cents", json!(25.5)), true),
        (with("unit_price_cents", json!(1_000_000_000_001_i64)), true),
        (with("amount_cents", json!(5001)), false),
        (with("idempotency_key", json!("")), true),
        (with("idempotency_key", json!("k".repeat(65))), true),
        (with("idempotency_hash", json!("")), true),
        (with("idempotency_hash", json!("ab".repeat(31))), true),
        (with("idempotency_hash", json!("AB".repeat(32))), true),
        (with("pay_by_ms", json!(-1)), true),
        (with("trace", json!("t".repeat(129))), true),
        (with("trace", json!("a b")), true),
        (json!([]), true),
        (Value::Null, true),
    ];
    for required in [
        "v",
        "order",
        "nonce",
        "user",
        "program",
        "category",
        "seats",
        "unit_price_cents",
        "amount_cents",
        "pay_by_ms",
    ] {
        let mut message = sample();
        message.as_object_mut().expect("an object").remove(required);
        cases.push((message, true));
    }
    cases
}

fn decode(message: &Value) -> Result<OrderRequested, serde_json::Error> {
    serde_json::from_str(&message.to_string())
}

proptest! {
    #[test]
    fn encoding_round_trips_within_the_schema(message in orders()) {
        let text = serde_json::to_string(&message).expect("encodes");
        prop_assert_eq!(serde_json::from_str::<OrderRequested>(&text).expect("decodes"), message);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        let validator = validator::<OrderRequested>();
        prop_assert!(validator.is_valid(&value), "{text}");
    }

    #[test]
    fn unknown_fields_are_ignored(message in orders(), field in "x_[a-z]{1,10}",
        value in ".{0,20}") {
        let mut later = serde_json::to_value(&message).expect("encodes");
        later[field] = json!({ "nested": [value] });
        prop_assert_eq!(decode(&later).expect("decodes"), message);
    }

    #[test]
    fn a_number_contains_its_time_and_shard(ms in 1..1_u64 << 41, shard in 0..Shard::COUNT,
        random: u16) {
        let at = OrderNumber::EPOCH_MS + ms;
        let shard = Shard::new(shard).expect("in bounds");
        let number = OrderNumber::compose(at, shard, random).expect("in bounds");
        prop_assert_eq!((number.made_at_ms(), number.shard()), (at, shard));
        prop_assert_eq!(OrderNumber::new(number.get()), Ok(number));
        prop_assert_eq!(number.to_string().parse(), Ok(number));
    }

    #[test]
    fn accepted_texts_read_back_unchanged(text in ".{0,40}") {
        if let Ok(number) = text.parse::<OrderNumber>() {
            prop_assert_eq!(number.to_string(), text.clone());
        }
        if let Ok(program) = text.parse::<ProgramId>() {
            prop_assert_eq!(program.to_string(), text.clone());
        }
        if let Ok(nonce) = text.parse::<Nonce>() {
            prop_assert_eq!(nonce.to_string(), text.clone());
        }
    }

    #[test]
    fn a_total_is_exact_or_refused(price in 0..=1_000_000_000_000_i64, tickets in 0..10_000_usize) {
        let total = Cents::new(price).expect("in bounds").times(tickets).map(Cents::get);
        let exact = i128::from(price) * tickets as i128;
        if exact <= 1_000_000_000_000 {
            prop_assert_eq!(total.map(i128::from), Ok(exact));
        } else {
            prop_assert!(total.is_err());
        }
    }
}

#[test]
fn a_number_beyond_its_bits_is_refused() {
    let shard = Shard::new(0).expect("in bounds");
    for ms in [
        0,
        OrderNumber::EPOCH_MS,
        OrderNumber::EPOCH_MS + (1 << 41),
        u64::MAX,
    ] {
        assert!(OrderNumber::compose(ms, shard, 1).is_err(), "{ms}");
    }
}

#[test]
fn every_bound_refuses_values_beyond_it() {
    decode(&sample()).expect("the sample itself is valid");
    for (message, _) in out_of_bounds() {
        assert!(decode(&message).is_err(), "taken: {message}");
    }
}

#[test]
fn schema_and_decoding_refuse_the_same() {
    let validator = validator::<OrderRequested>();
    assert!(validator.is_valid(&sample()));
    for (message, schema_can_tell) in out_of_bounds() {
        assert_eq!(validator.is_valid(&message), !schema_can_tell, "{message}");
    }
}

#[test]
fn a_refusal_names_its_reason() {
    let refused = |field, value| {
        decode(&with(field, value))
            .expect_err("refused")
            .to_string()
    };
    assert!(refused("v", json!(9)).contains("version 9 is not supported"));
    assert!(refused("seats", json!([5, 4])).contains("ascending"));
    assert!(refused("amount_cents", json!(1)).contains("unit price times the number of seats"));
    assert!(refused("user", json!("a b")).contains("visible ASCII"));
}

#[test]
fn the_published_schema_is_current() {
    assert_current::<OrderRequested>("order-requested.v1.json");
}
