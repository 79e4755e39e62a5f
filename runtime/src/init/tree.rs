//! What a file means, to compare it before and after an insertion. Pure.

use serde_json::Value;

use super::error::TextError;
use sam_template::document::{Node, Problems};

/// What was read from a file, unless it has errors or is empty.
pub(super) fn checked(root: Option<Node>, problems: Problems) -> Result<Node, TextError> {
    let file = problems.file().to_owned();
    match problems.finish() {
        Ok(_) => root.ok_or_else(|| TextError::Unreadable(format!("{file} is empty."))),
        Err(found) => {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            Err(TextError::Unreadable(found.join("\n")))
        }
    }
}

/// The old value with every key of the new one that it lacks, down to this many levels of keys. What
/// exists on the last level stays as it is.
pub(super) fn merged(old: &Value, new: &Value, levels: usize) -> Value {
    match (old, new) {
        (Value::Null, new) => new.clone(),
        (Value::Object(old), Value::Object(new)) if levels > 0 => {
            let mut all = old.clone();
            for (key, value) in new {
                let value = old
                    .get(key)
                    .map_or_else(|| value.clone(), |old| merged(old, value, levels - 1));
                all.insert(key.clone(), value);
            }
            Value::Object(all)
        }
        (old, _) => old.clone(),
    }
}
