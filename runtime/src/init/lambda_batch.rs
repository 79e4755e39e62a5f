//! Where functions in Rust find the crate lambda-batch, which is in no registry.

use std::path::Path;

use super::InitError;
use sam_template::document::{Problems, parse_toml};

/// The crate in the checkout that this program was built from.
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/lambda-batch");

/// The dependency as a manifest has it: `{ path = "..." }` or `{ git = "..." }`.
pub(super) fn dependency(written: Option<&str>) -> Result<String, InitError> {
    let written = written.unwrap_or(CHECKOUT);
    // Text of JSON is text of TOML.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    if written.contains("://") || written.starts_with("git@") {
        return Ok(format!("{{ git = {} }}", quoted(written)));
    }
    let missing = || InitError::NoLambdaBatch {
        place: written.to_owned(),
    };
    let folder = Path::new(written).canonicalize().map_err(|_| missing())?;
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).map_err(|_| missing())?;
    let manifest = parse_toml(&manifest, &Problems::new("Cargo.toml"));
    let package = manifest
        .get("package")
        .and_then(|package| package.get("name"));
    if package.and_then(|name| name.text()) != Some("lambda-batch") {
        return Err(missing());
    }
    let path = folder.to_str().ok_or_else(missing)?;
    Ok(format!("{{ path = {} }}", quoted(path)))
}
