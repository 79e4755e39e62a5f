//! Encoding, bounds and the published schema of API calls.

use core::net::IpAddr;

use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::message::ApiCall;
use crate::message::published_tests::{assert_current, validator};
use crate::message::{
    CallClient, CallId, CallInstance, CallMethod, CallRoute, CallUrl, TraceId, UserId,
};

prop_compose! {
    fn calls()(
        id: [u8; 16],
        at_ms in 0..=ApiCall::MAX_AT_MS,
        method in "[A-Z]{1,16}",
        route in "[!-~]{1,128}",
        url in "[!-~]{1,512}",
        status in 100..=599_u16,
        duration_us in 0..=ApiCall::MAX_DURATION_US,
        client in "[a-z0-9._-]{1,32}",
        user in option::of("[!-~]{1,128}"),
        ip: Option<IpAddr>,
        trace: Option<[u8; 16]>,
        instance in "[!-~]{1,64}",
    ) -> ApiCall {
        ApiCall {
            v: 1,
            id: CallId::new(id),
            at_ms,
            method: CallMethod::new(method).expect("in bounds"),
            route: CallRoute::new(route).expect("in bounds"),
            url: CallUrl::new(url).expect("in bounds"),
            status,
            duration_us,
            client: CallClient::new(client).expect("in bounds"),
            user: user.map(|user| UserId::new(user).expect("in bounds")),
            ip,
            trace: trace.map(TraceId::new),
            instance: CallInstance::new(instance).expect("in bounds"),
        }
    }
}

fn sample() -> Value {
    json!({
        "v": 1, "id": "000102030405060708090a0b0c0d0e0f", "at_ms": 1_795_000_000_000_i64, "method": "GET", "route": "/orders/{number}",
        "url": "/orders/381265920001048577?wait=2", "status": 200, "duration_us": 1834, "client": "curl", "user": "alice",
        "ip": "192.0.2.7", "trace": "4bf92f3577b34da6a3ce929d0e0e4736", "instance": "2026/11/24/[$LATEST]0a1b",
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut call = sample();
    call[field] = value;
    call
}

/// Calls out of bounds, with whether JSON Schema can say so.
fn out_of_bounds() -> Vec<(Value, bool)> {
    let mut cases = vec![
        (with("v", json!(0)), true),
        (with("v", json!(2)), true),
        (with("id", json!("00")), true),
        (with("at_ms", json!(-1)), true),
        (with("at_ms", json!(ApiCall::MAX_AT_MS + 1)), true),
        (with("at_ms", json!("2026-11-24T00:00:00Z")), true),
        (with("method", json!("get")), true),
        (with("method", json!("")), true),
        (with("route", json!("")), true),
        (with("route", json!("/a b")), true),
        (with("route", json!("/".repeat(129))), true),
        (with("url", json!("/".repeat(513))), true),
        (with("url", json!("/\u{0}")), true),
        (with("url", json!("/ü")), true),
        (with("status", json!(99)), true),
        (with("status", json!(600)), true),
        (with("status", json!("200")), true),
        (with("duration_us", json!(-1)), true),
        (
            with("duration_us", json!(ApiCall::MAX_DURATION_US + 1)),
            true,
        ),
        (with("client", json!("Chrome")), true),
        (with("client", json!("c".repeat(33))), true),
        (with("user", json!("a b")), true),
        (with("ip", json!("192.0.2.700")), false),
        (with("ip", json!(7)), true),
        (with("trace", json!("t")), true),
        (with("instance", json!("")), true),
        (json!([]), true),
        (json!("text"), true),
    ];
    for required in [
        "v",
        "id",
        "at_ms",
        "method",
        "route",
        "url",
        "status",
        "duration_us",
        "client",
        "instance",
    ] {
        let mut call = sample();
        call.as_object_mut().expect("an object").remove(required);
        cases.push((call, true));
    }
    cases
}

fn decode(call: &Value) -> Result<ApiCall, serde_json::Error> {
    serde_json::from_str(&call.to_string())
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same_and_keeps_to_the_schema(call in calls()) {
        let text = serde_json::to_string(&call).expect("encodes");
        prop_assert_eq!(serde_json::from_str::<ApiCall>(&text).expect("decodes"), call);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        let validator = validator::<ApiCall>();
        prop_assert!(validator.is_valid(&value), "{text}");
    }

    #[test]
    fn a_call_with_fields_of_a_later_version_is_read(
        call in calls(),
        field in "x_[a-z]{1,10}",
        value in ".{0,20}",
    ) {
        let mut later = serde_json::to_value(&call).expect("encodes");
        later[field] = json!({ "nested": [value] });
        prop_assert_eq!(decode(&later).expect("decodes"), call);
    }

    #[test]
    fn any_text_can_be_made_a_url_and_a_good_one_stays_as_it_is(
        text in ".{0,600}",
        good in "[!-~]{1,512}",
    ) {
        let url = CallUrl::fit(&text);
        prop_assert_eq!(CallUrl::new(url.as_str()), Ok(url));
        let fit = CallUrl::fit(&good);
        prop_assert_eq!(fit.as_str(), good);
    }
}

#[test]
fn what_is_not_ascii_is_percent_encoded_and_never_cut_in_half() {
    assert_eq!(CallUrl::fit("/a b?ü").as_str(), "/a%20b?%C3%BC");
    assert_eq!(CallUrl::fit("").as_str(), "/");
    let long = format!("{}ü", "a".repeat(CallUrl::MAX_LEN - 4));
    assert_eq!(
        CallUrl::fit(&long).as_str(),
        format!("{}%C3", "a".repeat(CallUrl::MAX_LEN - 4))
    );
}

#[test]
fn every_bound_refuses_what_is_beyond_it() {
    decode(&sample()).expect("the sample itself is valid");
    for (call, _) in out_of_bounds() {
        assert!(decode(&call).is_err(), "taken: {call}");
    }
}

#[test]
fn the_schema_refuses_what_decoding_refuses_as_far_as_a_schema_can() {
    let validator = validator::<ApiCall>();
    assert!(validator.is_valid(&sample()));
    for (call, schema_can_tell) in out_of_bounds() {
        assert_eq!(validator.is_valid(&call), !schema_can_tell, "{call}");
    }
}

#[test]
fn a_refusal_says_what_is_wrong() {
    let refused = |field, value| {
        decode(&with(field, value))
            .expect_err("refused")
            .to_string()
    };
    assert!(refused("v", json!(9)).contains("version 9 is not supported"));
    assert!(refused("status", json!(600)).contains("100 to 599"));
    assert!(refused("client", json!("Chrome")).contains("a-z"));
}

#[test]
fn the_published_schema_is_the_one_of_this_code() {
    assert_current::<ApiCall>("api-call.v1.json");
}
