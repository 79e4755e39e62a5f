//! Answers to orders over time, from the client log.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// Intervals of a drawing at most.
const INTERVALS: u64 = 240;

/// A line of the client log, as far as it is drawn.
#[derive(Deserialize)]
struct Line {
    t: u64,
    event: String,
    #[serde(default)]
    http: u16,
    #[serde(default)]
    took_ms: u64,
}

/// Answers in intervals of the same length.
#[derive(Debug, Default)]
pub struct Answers {
    /// Begin and end, milliseconds since 1970.
    pub span: [u64; 2],
    /// Length of an interval, seconds.
    pub seconds: f64,
    /// The intervals.
    pub intervals: Vec<Interval>,
}

/// Answers within one interval.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Interval {
    /// Accepted orders of a second.
    pub accepted: f64,
    /// Refused orders of a second: sold out, over the limit, seats taken.
    pub refused: f64,
    /// Orders of a second without an answer, or with 5xx.
    pub failed: f64,
    /// Median and 99th percentile of the time until the answer, milliseconds; none without answers.
    pub latency: Option<[u64; 2]>,
}

/// Reads the client log.
pub fn read(log: &Path, span: [u64; 2]) -> Result<Answers> {
    let file = File::open(log).with_context(|| format!("cannot read {}", log.display()))?;
    let mut lines = Vec::new();
    for line in BufReader::new(file).lines() {
        lines.push(serde_json::from_str(&line?).context("a line of the client log")?);
    }
    Ok(Answers::of(&lines, span))
}

impl Answers {
    fn of(lines: &[Line], span: [u64; 2]) -> Self {
        let [begin, end] = span;
        let length = (end.saturating_sub(begin) / INTERVALS).max(1000);
        let count = end.saturating_sub(begin).div_ceil(length).max(1);
        let mut took = vec![Vec::new(); count as usize];
        let mut intervals = vec![Interval::default(); count as usize];
        let seconds = length as f64 / 1000.0;
        for line in lines.iter().filter(|line| line.event == "order") {
            let n = (line.t.saturating_sub(begin) / length).min(count - 1) as usize;
            took[n].push(line.took_ms);
            let interval = &mut intervals[n];
            let rate = match line.http {
                200..300 => &mut interval.accepted,
                400..500 => &mut interval.refused,
                _ => &mut interval.failed,
            };
            *rate += 1.0 / seconds;
        }
        for (interval, mut took) in intervals.iter_mut().zip(took) {
            took.sort_unstable();
            let share = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)];
            interval.latency = (!took.is_empty()).then(|| [share(50), share(99)]);
        }
        Self {
            span,
            seconds,
            intervals,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(t: u64, http: u16, took_ms: u64) -> Line {
        Line {
            t,
            event: "order".to_owned(),
            http,
            took_ms,
        }
    }

    #[test]
    fn answers_are_counted_in_their_second() {
        let lines = [
            order(1000, 202, 10),
            order(1500, 409, 20),
            order(2999, 0, 900),
            order(9000, 202, 5),
        ];
        let answers = Answers::of(&lines, [1000, 3000]);
        assert_eq!(answers.intervals.len(), 2);
        let first = &answers.intervals[0];
        assert!((first.accepted, first.refused, first.failed) == (1.0, 1.0, 0.0));
        assert_eq!(first.latency, Some([20, 20]));
        // What came after the end counts in the last interval.
        let last = &answers.intervals[1];
        assert!((last.accepted, last.failed) == (1.0, 1.0));
        assert_eq!(last.latency, Some([900, 900]));
    }

    #[test]
    fn an_hour_is_drawn_in_few_intervals() {
        let answers = Answers::of(&[order(0, 202, 1)], [0, 3_600_000]);
        assert!(answers.intervals.len() as u64 <= INTERVALS);
        assert_eq!(answers.intervals[1].latency, None);
    }
}
