//! Topics of a mapping.

use crate::document::{Reader, is_name};

/// The topic of a mapping, which must be one.
pub(super) fn read(reader: &Reader<'_>) -> Vec<String> {
    let before = reader.problems.failures();
    let topics = reader.strings("Topics");
    if reader.problems.failures() == before && topics.len() != 1 {
        let message = format!(
            "{} has {} topics. A mapping reads exactly one: `Topics: [name]`.",
            reader.what,
            topics.len()
        );
        reader
            .problems
            .wrong_kind(reader.line("Topics"), "Topics", message);
    }
    if let Some(topic) = topics.iter().find(|topic| !is_topic(topic)) {
        reader.error(
            "Topics",
            &format!("'{topic}' is not a topic's name. {REMEDY}"),
        );
    }
    topics
}

/// Remedy for an invalid topic name.
pub(super) const REMEDY: &str = "Use up to 249 letters, digits, -, _ and dots, no dot first.";

pub(super) fn is_topic(name: &str) -> bool {
    is_name(name, "-_.", 249) && !name.starts_with('.')
}
