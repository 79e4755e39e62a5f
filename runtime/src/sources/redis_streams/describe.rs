//! A source as `usher template` prints it. Pure.

use std::fmt::Write as _;

use super::mapping::RedisStreamMapping;
use crate::sources::mapping::describe_filters;

pub(super) fn mapping(out: &mut String, mapping: &RedisStreamMapping) {
    let limit = |limit: Option<u32>, none: &str| {
        limit.map_or_else(|| none.to_owned(), |limit| limit.to_string())
    };
    let state = if mapping.enabled { "" } else { " (disabled)" };
    let age = mapping.max_age.map_or_else(
        || "any age".to_owned(),
        |age| format!("at most {} s old", age.as_secs()),
    );
    let _ = writeln!(
        out,
        "\nRedis stream {}{state} -> {}\n  {}, group {}, named {} in the records",
        mapping.id, mapping.function, mapping.stream, mapping.group, mapping.name
    );
    let _ = writeln!(
        out,
        "  batch {}, window {} s, partial responses {}, bisect {}, concurrency {}",
        mapping.batch_size,
        mapping.window.as_secs(),
        mapping.partial_responses,
        mapping.bisect,
        limit(mapping.max_concurrency, "the function's")
    );
    let _ = writeln!(
        out,
        "  retries {}, {age}, then to {}; taken over after {} s",
        limit(mapping.max_retries, "without limit"),
        mapping.dead_stream(),
        mapping.idle.as_secs()
    );
    describe_filters(out, mapping.filters.as_ref());
}
