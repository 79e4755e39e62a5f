//! The status of `usher` as a table.

use ticket_rush::status::HostStatus;

use crate::output;

/// Maximum number of process ids in a line.
const MAX_IDS: usize = 6;

/// Prints processes, invocations and the topics' offsets.
pub(crate) fn show(status: &HostStatus) {
    output::line(&format!("usher is process {}; functions:", status.pid));
    output::line(&format!(
        "  {:<19} {:>9} {:>12} {:>7}  {}",
        "FUNCTION", "PROCESSES", "INVOCATIONS", "ERRORS", "PROCESS IDS"
    ));
    for f in &status.functions {
        let pids: Vec<u32> = f.instances.iter().filter_map(|i| i.pid).collect();
        if f.invocations == 0 && f.instances.is_empty() {
            continue;
        }
        let mut shown: Vec<_> = pids.iter().take(MAX_IDS).map(u32::to_string).collect();
        if pids.len() > MAX_IDS {
            shown.push("...".to_owned());
        }
        output::line(&format!(
            "  {:<19} {:>9} {:>12} {:>7}  {}",
            f.function,
            pids.len(),
            f.invocations,
            f.errors,
            shown.join(" ")
        ));
    }
    for mapping in &status.mappings {
        let topic = mapping.partitions.first().map_or("", |p| p.topic.as_str());
        let n = |offset: Option<i64>| offset.map_or("-".to_owned(), |o| o.to_string());
        let partitions = mapping.partitions.iter();
        let offsets = partitions.map(|p| {
            let end = p.end.max(p.position);
            format!("{}: {}/{}", p.partition, n(p.position), n(end))
        });
        let offsets = offsets.collect::<Vec<_>>().join("  ");
        let function = &mapping.function;
        output::line(&format!(
            "topic {topic} -> {function}, done/written by partition: {offsets}"
        ));
    }
}
