//! The published schemas under `docs/reference/schema`, compared with what the code says.

use std::path::Path;

use schemars::JsonSchema;
use serde_json::Value;

/// The schema of a message, as the code has it.
pub(crate) fn schema<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

/// What the schema says of a message.
pub(crate) fn validator<T: JsonSchema>() -> jsonschema::Validator {
    jsonschema::validator_for(&schema::<T>()).expect("a schema")
}

/// Fails unless `docs/reference/schema/{file}` is the schema of `T`. With `USHER_BLESS=1` it is
/// written first.
pub(crate) fn assert_current<T: JsonSchema>(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/reference/schema")
        .join(file);
    let current = serde_json::to_string_pretty(&schema::<T>()).expect("encodes") + "\n";
    if std::env::var_os("USHER_BLESS").is_some() {
        std::fs::write(&path, &current).expect("the schema can be written");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == current,
        "{} is not what the code says; if the change is wanted: USHER_BLESS=1 cargo test -p \
            shared published_schema",
        path.display()
    );
}
