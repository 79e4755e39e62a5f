use std::path::Path;

use proptest::collection::btree_map;
use proptest::prelude::*;

use super::*;

fn schema() -> serde_json::Value {
    schemars::schema_for!(StreamEntry).to_value()
}

/// What SQS accepts in a body.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same_fits_sqs_and_keeps_to_the_schema(
        stream in "[a-z-]{1,20}",
        id: (u64, u64),
        fields in btree_map("(?s).{0,6}", "(?s)(.|\u{0}|\u{fffe}|\u{ffff}|\u{10ffff}){0,12}", 0..5),
    ) {
        let entry = StreamEntry { stream, id: format!("{}-{}", id.0, id.1), fields };
        let body = entry.to_body().expect("encodes");
        prop_assert!(body.chars().all(is_allowed), "{body:?}");
        let validator = jsonschema::validator_for(&schema()).expect("a schema");
        prop_assert!(validator.is_valid(&serde_json::from_str(&body).expect("JSON")), "{body}");
        prop_assert_eq!(serde_json::from_str::<StreamEntry>(&body).expect("decodes"), entry);
    }
}

#[test]
fn unknown_fields_are_tolerated_and_missing_ones_are_not() {
    let read = |text: &str| serde_json::from_str::<StreamEntry>(text);
    let entry = read(r#"{"stream":"s","id":"1-0","fields":{"a":"b"},"later":true}"#).expect("decodes");
    assert_eq!((entry.field("a"), entry.field("b")), (Some("b"), None));
    for bad in [r#"{"stream":"s","id":"1-0"}"#, r#"{"stream":"s","id":"1-0","fields":{"a":1}}"#, "[]", "null"] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

/// Refresh with `USHER_BLESS=1 cargo test -p shared published_schema`.
#[test]
fn the_published_schema_is_the_one_of_this_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/stream-entry.v1.json");
    let current = serde_json::to_string_pretty(&schema()).expect("encodes") + "\n";
    if std::env::var_os("USHER_BLESS").is_some() {
        std::fs::write(&path, &current).expect("the schema can be written");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(published, current, "{} is not what the code says", path.display());
}
