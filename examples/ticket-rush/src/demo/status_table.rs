//! The status of `usher` as a table.

use ticket_rush::status::HostStatus;

use crate::output;

/// Prints processes, invocations and the topics' offsets.
pub(crate) fn show(status: &HostStatus) {
    output::line(&format!("usher is process {}; functions:", status.pid));
    output::line(&format!(
        "  {:<14} {:>9} {:>12} {:>7}  {}",
        "FUNCTION", "PROCESSES", "INVOCATIONS", "ERRORS", "PROCESS IDS"
    ));
    for f in status
        .functions
        .iter()
        .filter(|f| f.invocations > 0 || !f.instances.is_empty())
    {
        let mut pids: Vec<String> = f
            .instances
            .iter()
            .filter_map(|i| i.pid)
            .map(|p| p.to_string())
            .collect();
        let count = pids.len();
        if count > 6 {
            pids.truncate(6);
            pids.push("...".to_owned());
        }
        output::line(&format!(
            "  {:<14} {count:>9} {:>12} {:>7}  {}",
            f.function,
            f.invocations,
            f.errors,
            pids.join(" ")
        ));
    }
    for mapping in &status.mappings {
        let topic = mapping.partitions.first().map_or("", |p| p.topic.as_str());
        let n = |offset: Option<i64>| offset.map_or("-".to_owned(), |o| o.to_string());
        let offsets: Vec<String> = mapping
            .partitions
            .iter()
            .map(|p| {
                format!(
                    "{}: {}/{}",
                    p.partition,
                    n(p.position),
                    n(p.end.max(p.position))
                )
            })
            .collect();
        output::line(&format!(
            "topic {topic} -> {}, done/written by partition: {}",
            mapping.function,
            offsets.join("  ")
        ));
    }
}
