//! `--env-vars FILE`: JSON as SAM reads it,
//! `{"Function": {"NAME": "value"}, "Parameters": {"NAME": "value"}}`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::document::Problems;

/// Values by function and variable.
pub(super) fn read(file: &Path, into: &mut BTreeMap<String, BTreeMap<String, String>>) -> Problems {
    let problems = Problems::new(file.display().to_string());
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            problems.error(
                0,
                format!("cannot be read: {error}. --env-vars names a JSON file."),
            );
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
        let kind = kind_of(&values);
        let Value::Object(values) = values else {
            problems.error(
                line_of(&text, &[&section]),
                format!("{section} must be an object, not {kind}. {shape}"),
            );
            continue;
        };
        for (name, value) in values {
            let written = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                other => {
                    let line = line_of(&text, &[&section, &name]);
                    problems.error(
                        line,
                        format!(
                            "{section}.{name} must be text, not {}. {shape}",
                            kind_of(&other)
                        ),
                    );
                    continue;
                }
            };
            into.entry(section.clone())
                .or_default()
                .insert(name, written);
        }
    }
    problems
}

/// The line of a nested key; 0 if the text writes it with escapes.
fn line_of(text: &str, keys: &[&str]) -> usize {
    let mut at = 0;
    for key in keys {
        let Some(found) = text[at..].find(&format!("\"{key}\"")) else {
            return 0;
        };
        at += found + 1;
    }
    text[..at].matches('\n').count() + 1
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_kind_is_an_error_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env.json");
        for (text, line) in [
            ("[]", 1),
            ("{\n \"F\": [1]}", 2),
            ("{\n \"F\": null}", 2),
            ("{\n \"F\": {\n  \"A\": \"1\",\n  \"B\": null}}", 4),
            ("{\n \"F\": {\n  \"A\": [\"1\"]}}", 3),
            ("{\n \"F\": {\n  \"A\": {}}}", 3),
        ] {
            std::fs::write(&file, text).unwrap();
            let found = read(&file, &mut BTreeMap::new()).finish().unwrap_err();
            assert_eq!(
                found.iter().map(|d| d.line).collect::<Vec<_>>(),
                [line],
                "{text}: {found:?}"
            );
        }
    }
}
