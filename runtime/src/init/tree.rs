//! What a file means, to compare it before and after an insertion. Pure.

use serde_json::Value;

/// The old value with everything of the new one that it lacks.
pub(super) fn merged(old: &Value, new: &Value) -> Value {
    match (old, new) {
        (Value::Null, new) => new.clone(),
        (Value::Object(old), Value::Object(new)) => {
            let mut all = old.clone();
            for (key, value) in new {
                let value = old
                    .get(key)
                    .map_or_else(|| value.clone(), |old| merged(old, value));
                all.insert(key.clone(), value);
            }
            Value::Object(all)
        }
        (old, _) => old.clone(),
    }
}
