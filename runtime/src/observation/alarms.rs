//! Named alarms: log events with the field `alarm`, of the functions and of the host itself.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::Deserialize;

use super::shortened;
use crate::lock::lock;

/// Maximum of names, over all functions. Without it, a function that puts an id into the name would
/// fill the memory.
const MAX_NAMES: usize = 500;

/// Counts alarms beyond [`MAX_NAMES`].
const OTHER: &str = "other";

/// Longest name kept, bytes.
const LONGEST_NAME: usize = 100;

/// Alarms of the host's own log. A process has one log, so it has one table.
static HOST: Mutex<AlarmCounts> = Mutex::new(AlarmCounts::new());

/// Number of alarms by function and name. The host's own have no function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlarmCounts(BTreeMap<(Option<String>, String), u64>);

impl AlarmCounts {
    const fn new() -> Self {
        Self(BTreeMap::new())
    }

    fn add(&mut self, function: Option<&str>, name: &str) {
        let key = |name| (function.map(str::to_owned), shortened(name, LONGEST_NAME));
        let mut key_of_name = key(name);
        if self.0.len() >= MAX_NAMES && !self.0.contains_key(&key_of_name) {
            key_of_name = key(OTHER);
        }
        *self.0.entry(key_of_name).or_default() += 1;
    }

    /// Counts the alarm of a line that a function printed, if the line is one.
    pub(super) fn printed(&mut self, function: &str, name: &str) {
        self.add(Some(function), name);
    }

    /// Function (`None`: the host), name and number.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&str>, &str, u64)> {
        self.0
            .iter()
            .map(|((function, name), count)| (function.as_deref(), name.as_str(), *count))
    }
}

/// Counts an alarm of the host's own log.
pub fn count_host_alarm(name: &str) {
    lock(&HOST).add(None, name);
}

/// The alarms of the host's own log so far.
pub fn host_alarms() -> AlarmCounts {
    lock(&HOST).clone()
}

/// The name of the alarm that a printed line reports: a JSON object with the text `alarm`.
pub(super) fn alarm_of(line: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Line {
        alarm: String,
    }

    // A cheap check for all other lines.
    if !line.starts_with('{') || !line.contains("\"alarm\"") {
        return None;
    }
    let line = strict_json::from_str::<Line>(line).ok()?;
    (!line.alarm.is_empty()).then_some(line.alarm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_with_a_named_alarm_counts() {
        let alarm = r#"{"level":"ERROR","alarm":"record_parked","topic":"t"}"#;
        assert_eq!(alarm_of(alarm).as_deref(), Some("record_parked"));
        for line in [
            r#"{"alarm":""}"#,
            r#"{"alarm":7}"#,
            r#"{"message":"no \"alarm\" here"}"#,
            r#"{"inner":{"alarm":"x"}}"#,
            r#"["alarm"]"#,
            r#"{"alarm":"cut"#,
            r#"alarm="text""#,
        ] {
            assert_eq!(alarm_of(line), None, "{line}");
        }
    }

    #[test]
    fn names_are_bounded_and_counted_ones_continue() {
        let mut counts = AlarmCounts::default();
        (0..MAX_NAMES + 7).for_each(|n| counts.printed("F", &n.to_string()));
        counts.printed("F", "0");
        let of = |name: &str| {
            let mut found = counts.iter().filter(|(_, named, _)| *named == name);
            found.next().map(|(_, _, count)| count)
        };
        assert_eq!((of("0"), of(OTHER)), (Some(2), Some(7)));
        assert_eq!(counts.iter().count(), MAX_NAMES + 1);
    }
}
