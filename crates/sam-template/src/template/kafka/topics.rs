//! Topics of a mapping.

use crate::document::{Problems, Reader};

/// The topic of a mapping, which must be one.
pub(super) fn read(reader: &Reader<'_>, problems: &mut Problems) -> Vec<String> {
    let before = problems.failures();
    let topics: Vec<String> = reader
        .texts("Topics", problems)
        .into_iter()
        .map(str::to_owned)
        .collect();
    if problems.failures() == before && topics.len() != 1 {
        problems.wrong_kind(
            reader.line("Topics"),
            "Topics",
            format!(
                "{} has {} topics. A mapping reads exactly one: `Topics: [name]`.",
                reader.what,
                topics.len()
            ),
        );
    }
    if let Some(topic) = topics.iter().find(|topic| !is_topic(topic)) {
        problems.error(
            reader.line("Topics"),
            format!("{}: '{topic}' is not a topic's name. {REMEDY}", reader.what),
        );
    }
    topics
}

/// Remedy for an invalid topic name.
pub(super) const REMEDY: &str = "Use up to 249 letters, digits, -, _ and dots, no dot first.";

pub(super) fn is_topic(name: &str) -> bool {
    let sound = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    sound && (1..=249).contains(&name.len()) && !name.starts_with('.')
}
