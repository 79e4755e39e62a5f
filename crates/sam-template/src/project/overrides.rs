//! `--parameter-overrides` in both of SAM's forms: `Name=value` and
//! `ParameterKey=Name,ParameterValue=value`.

use std::collections::BTreeMap;

use super::SourcedValue;
use crate::document::Problems;

/// Reads each argument, which may hold several pairs separated by blanks; quotes protect blanks.
pub(super) fn read(
    arguments: &[String],
    source: &str,
    into: &mut BTreeMap<String, SourcedValue>,
) -> Problems {
    let problems = Problems::new(source);
    for argument in arguments {
        for (at, pair) in words(argument).into_iter().enumerate() {
            if let Some((name, value)) = split(&pair) {
                into.insert(
                    name,
                    SourcedValue {
                        value,
                        source: source.to_owned(),
                    },
                );
            } else {
                // Without the value: only the template states whether it is a secret.
                let name = pair
                    .split_once('=')
                    .map(|(name, _)| format!(" ({name}=...)"))
                    .unwrap_or_default();
                problems.error(
                    0,
                    format!(
                        "word {}{name} is not an override. Write Name=value.",
                        at + 1
                    ),
                );
            }
        }
    }
    problems
}

fn split(pair: &str) -> Option<(String, String)> {
    let (name, value) = match pair.strip_prefix("ParameterKey=") {
        Some(rest) => rest.split_once(",ParameterValue=")?,
        None => pair.split_once('=')?,
    };
    let sound = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric());
    sound.then(|| (name.to_owned(), value.to_owned()))
}

/// Splits at blanks outside quotes. A word that starts no pair belongs to the value before it: a
/// shell may already have removed the quotes.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if c.is_whitespace() => words.push(std::mem::take(&mut word)),
            _ => word.push(c),
        }
    }
    words.push(word);
    let mut joined: Vec<String> = Vec::new();
    for word in words.into_iter().filter(|word| !word.is_empty()) {
        match joined.last_mut() {
            Some(last) if !word.contains('=') => {
                last.push(' ');
                last.push_str(&word);
            }
            _ => joined.push(word),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(arguments: &[&str]) -> Vec<(String, String)> {
        let mut into = BTreeMap::new();
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        assert!(!read(&arguments, "test", &mut into).has_errors());
        into.into_iter()
            .map(|(name, given)| (name, given.value))
            .collect()
    }

    #[test]
    fn both_forms_and_quotes_are_read() {
        let expected = [
            ("A".to_owned(), "1".to_owned()),
            ("B".to_owned(), "x=y z".to_owned()),
        ];
        assert_eq!(values(&["A=1 B=\"x=y z\""]), expected);
        assert_eq!(values(&["A=1", "B=x=y z"]), expected);
        assert_eq!(
            values(&["ParameterKey=A,ParameterValue=1 ParameterKey=B,ParameterValue='x=y z'"]),
            expected
        );
    }

    #[test]
    fn a_word_without_a_value_is_an_error() {
        for wrong in ["A", "=x", "A-B=1", "ParameterKey=A"] {
            assert!(
                read(&[wrong.to_owned()], "test", &mut BTreeMap::new()).has_errors(),
                "{wrong}"
            );
        }
    }
}
