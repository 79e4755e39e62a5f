//! Queues and mappings as `usher template` prints them. Pure.

use std::fmt::Write as _;

use sam_template::model::{Queue, SqsMapping};

use crate::sources::mapping::describe_filters;

pub(super) fn queue(out: &mut String, queue: &Queue) {
    let _ = writeln!(out, "\nqueue {} ({})", queue.id, queue.name);
    let attributes: Vec<String> = queue
        .attributes
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let _ = writeln!(out, "  {}", attributes.join(", "));
    if let Some(redrive) = &queue.redrive {
        let _ = writeln!(
            out,
            "  after {} receives to {}",
            redrive.max_receives,
            redrive.target_name()
        );
    }
}

pub(super) fn mapping(out: &mut String, mapping: &SqsMapping) {
    let state = if mapping.enabled { "" } else { " (disabled)" };
    let concurrency = mapping
        .max_concurrency
        .map_or_else(|| "the function's".to_owned(), |limit| limit.to_string());
    let _ = writeln!(
        out,
        "\nSQS {}{state} -> {}\n  {}",
        mapping.id,
        mapping.function,
        mapping.queue_name()
    );
    let _ = writeln!(
        out,
        "  batch {}, window {} s, partial responses {}, concurrency {concurrency}",
        mapping.batch_size,
        mapping.batching_window.as_secs(),
        mapping.partial_responses
    );
    describe_filters(out, mapping.filters.as_ref());
}
