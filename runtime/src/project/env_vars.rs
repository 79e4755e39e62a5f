//! `--env-vars FILE`: JSON as SAM reads it, `{"Function": {"NAME": "value"}, "Parameters": {"NAME": "value"}}`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::document::Problems;

/// Values by function and variable.
pub(super) fn read(file: &Path, into: &mut BTreeMap<String, BTreeMap<String, String>>) -> Problems {
    let mut problems = Problems::new(file.display().to_string());
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            problems.error(0, format!("cannot be read: {error}. --env-vars names a JSON file."));
            return problems;
        }
    };
    let root: Value = match strict_json::from_str(&text) {
        Ok(root) => root,
        Err(error) => {
            problems.error(error.line(), format!("this is not JSON: {error}."));
            return problems;
        }
    };
    let shape = "Write {\"Function\": {\"NAME\": \"value\"}}.";
    let Value::Object(sections) = root else {
        problems.error(1, format!("the file must hold an object. {shape}"));
        return problems;
    };
    for (section, values) in sections {
        let Value::Object(values) = values else {
            problems.error(0, format!("{section} must be an object. {shape}"));
            continue;
        };
        for (name, value) in values {
            let text = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                _ => {
                    problems.error(0, format!("{section}.{name} must be text. {shape}"));
                    continue;
                }
            };
            into.entry(section.clone()).or_default().insert(name, text);
        }
    }
    problems
}
