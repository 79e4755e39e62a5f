//! `[functions]` of usher.toml: functions that run on this machine in another way than the template
//! says.

use std::collections::BTreeMap;

use super::SETTINGS;
use crate::document::Reader;
use crate::model::managed::MAX_CONCURRENCY;

/// How a function runs on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFunction {
    /// `managed`: whether it runs as on Lambda Managed Instances; `None`: as the other keys, or the
    /// template, say.
    pub managed: Option<bool>,
    /// `max-concurrency`: invocations of one process at one time.
    pub max_concurrency: Option<u32>,
    /// `instances`: processes at one time at most.
    pub instances: Option<u32>,
    /// Line of the table.
    pub line: usize,
}

/// Reads a table for each function: `[functions.Worker] max-concurrency = 64, instances = 2`.
pub(super) fn read(settings: &Reader<'_>) -> BTreeMap<String, LocalFunction> {
    let mut functions = BTreeMap::new();
    let Some(section) = settings.child("functions") else {
        return functions;
    };
    for entry in section.node.entries() {
        let Some(table) = section.child(&entry.key) else {
            continue;
        };
        let what = format!("{SETTINGS} [functions.{}]", entry.key);
        let table = Reader::new(table.node, what, settings.problems);
        table.only("managed max-concurrency instances");
        let function = LocalFunction {
            managed: table.flag("managed"),
            max_concurrency: table
                .number("max-concurrency", MAX_CONCURRENCY)
                .map(|n| n as u32),
            instances: table.number("instances", 1..=1_000).map(|n| n as u32),
            line: entry.line,
        };
        if function.managed == Some(false) {
            for key in ["max-concurrency", "instances"] {
                if table.has(key) {
                    let message = format!(
                        "{key} is for a function on managed instances, and managed = false turns \
                         them off. Remove one of the two."
                    );
                    table.error(key, &message);
                }
            }
        }
        functions.insert(entry.key.clone(), function);
    }
    functions
}
