//! Groups of similar failures: a function that fails on every event is one group, not a growing
//! list.

use std::collections::VecDeque;

use serde::Serialize;

use super::{Ended, shortened};

/// Longest text that identifies a group, bytes.
const LONGEST_SHAPE: usize = 300;

/// Failures of one function with one error.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FailureGroup {
    /// Count since the start.
    pub times: u64,
    /// Time of the first, milliseconds since 1970.
    pub first_ms: u64,
    /// The last of them; its message represents the group.
    #[serde(flatten)]
    pub last: Ended,
}

/// Function, error type and the shape of the message.
type Key = (String, String, String);

/// The groups with the most recent failures, up to a maximum.
#[derive(Debug)]
pub struct Failures {
    max: usize,
    groups: VecDeque<(Key, FailureGroup)>,
}

impl Failures {
    /// Keeps `max` groups.
    pub fn new(max: usize) -> Self {
        Self {
            max,
            groups: VecDeque::new(),
        }
    }

    /// Counts a failed invocation; a successful one is ignored. A new group beyond the maximum
    /// replaces the group whose last failure is oldest.
    pub fn add(&mut self, ended: Ended) {
        let Some(error) = &ended.error else { return };
        let key = (
            ended.function.clone(),
            error.error_type.clone(),
            shape(&error.message),
        );
        let known = self
            .groups
            .iter()
            .position(|(other, _)| *other == key)
            .and_then(|at| self.groups.remove(at));
        let (times, first_ms) =
            known.map_or((0, ended.at_ms), |(_, group)| (group.times, group.first_ms));
        if self.groups.len() >= self.max {
            self.groups.pop_front();
        }
        self.groups.push_back((
            key,
            FailureGroup {
                times: times + 1,
                first_ms,
                last: ended,
            },
        ));
    }

    /// The groups, most recent failure first.
    pub fn newest(&self) -> impl Iterator<Item = &FailureGroup> {
        self.groups.iter().rev().map(|(_, group)| group)
    }
}

/// A message without the parts that differ between failures: each number and each hexadecimal id
/// becomes `#`. At most 300 bytes.
pub fn shape(message: &str) -> String {
    let mut shape = String::new();
    let mut rest = message;
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || c == '-';
        let length = if word(first) {
            rest.find(|c| !word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (run, after) = rest.split_at(length);
        rest = after;
        let digit = run.bytes().any(|byte| byte.is_ascii_digit());
        if digit
            && run.len() >= 8
            && run
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        {
            shape.push('#');
        } else {
            let mut number = false;
            for character in run.chars() {
                let is_digit = character.is_ascii_digit();
                if !is_digit || !number {
                    shape.push(if is_digit { '#' } else { character });
                }
                number = is_digit;
            }
        }
        if shape.len() > LONGEST_SHAPE {
            break;
        }
    }
    shortened(&shape, LONGEST_SHAPE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Failure;

    fn failed(at_ms: u64, function: &str, message: &str) -> Ended {
        let error = Some(Failure::new("E", message));
        let function = function.to_owned();
        let request_id = format!("r{at_ms}");
        Ended {
            at_ms,
            function,
            request_id,
            trigger: crate::invocation::Trigger::Event,
            records: 0,
            duration_ms: 1.0,
            init_ms: None,
            error,
        }
    }

    #[test]
    fn similar_failures_are_one_counted_group() {
        let mut failures = Failures::new(3);
        for n in 0..500 {
            failures.add(failed(
                n,
                "F",
                &format!("RequestId: {:08x}-12ab Error: order {n} is missing", n * 7),
            ));
        }
        failures.add(failed(500, "F", "other"));
        failures.add(failed(501, "G", "other"));
        failures.add(Ended {
            error: None,
            ..failed(502, "G", "")
        });
        let groups: Vec<_> = failures
            .newest()
            .map(|group| (group.last.function.as_str(), group.times, group.first_ms))
            .collect();
        assert_eq!(groups, [("G", 1, 501), ("F", 1, 500), ("F", 500, 0)]);
        failures.add(failed(503, "F", "other"));
        failures.add(failed(504, "H", "new"));
        let groups: Vec<_> = failures
            .newest()
            .map(|group| (group.last.at_ms, group.times))
            .collect();
        assert_eq!(
            groups,
            [(504, 1), (503, 2), (501, 1)],
            "the group whose last failure is oldest is replaced"
        );
    }

    #[test]
    fn shapes_keep_words_and_lose_numbers() {
        assert_eq!(
            shape("order 17 of 3.5 s: ORA-00942"),
            "order # of #.# s: ORA-#"
        );
        assert_eq!(
            shape("RequestId: 0f8c9a1e-aaaa-4bbb-8ccc-0123456789ab"),
            "RequestId: #"
        );
        assert_eq!(shape("deadbeef defaced added"), "deadbeef defaced added");
        assert!(shape(&"ä".repeat(5_000)).len() <= LONGEST_SHAPE + 3);
        assert_eq!(shape(""), "");
    }
}
