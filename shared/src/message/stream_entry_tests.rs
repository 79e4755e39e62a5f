use proptest::collection::btree_map;
use proptest::prelude::*;

use super::super::published_tests::{assert_current, validator};
use super::*;

/// What SQS accepts in a body.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

proptest! {
    #[test]
    fn encoding_round_trips_within_sqs_and_schema(
        stream in "[a-z-]{1,20}",
        id: (u64, u64),
        fields in btree_map("(?s).{0,6}", "(?s)(.|\u{0}|\u{fffe}|\u{ffff}|\u{10ffff}){0,12}", 0..5),
    ) {
        let entry = StreamEntry { stream, id: format!("{}-{}", id.0, id.1), fields };
        let body = entry.to_body().expect("encodes");
        prop_assert!(body.chars().all(is_allowed), "{body:?}");
        let validator = validator::<StreamEntry>();
        prop_assert!(validator.is_valid(&serde_json::from_str(&body).expect("JSON")), "{body}");
        prop_assert_eq!(serde_json::from_str::<StreamEntry>(&body).expect("decodes"), entry);
    }
}

#[test]
fn unknown_fields_are_ignored_missing_ones_refused() {
    let read = |text: &str| serde_json::from_str::<StreamEntry>(text);
    let entry =
        read(r#"{"stream":"s","id":"1-0","fields":{"a":"b"},"later":true}"#).expect("decodes");
    assert_eq!((entry.field("a"), entry.field("b")), (Some("b"), None));
    for bad in [
        r#"{"stream":"s","id":"1-0"}"#,
        r#"{"stream":"s","id":"1-0","fields":{"a":1}}"#,
        "[]",
        "null",
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_published_schema_is_current() {
    assert_current::<StreamEntry>("stream-entry.v1.json");
}
