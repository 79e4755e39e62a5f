//! What a run has measured, as data, and its rendering: the tables and plots of
//! docs/benchmarks.md. Pure: [`crate::figures`] records, [`crate::parts`] reads and writes files.
//!
//! | file | holds |
//! |---|---|
//! | `page` | the page: provenance, goals, then each group with its tables and plots |
//! | `tables` | Markdown tables |
//! | `svg` | line plots and bar charts |

pub(crate) mod page;
pub(crate) mod svg;
mod tables;

use serde::{Deserialize, Serialize};

/// Everything that one run has measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The parts of the run, in the order in which they ran.
    pub parts: Vec<Part>,
}

/// One part of a run: `http`, `create`, ...
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Name on the command line.
    pub name: String,
    /// Where and how it was measured.
    pub provenance: Provenance,
    /// Its duration.
    pub seconds: f64,
    /// Why it ended early. What it had measured before stands in `groups`.
    pub error: Option<String>,
    /// What it measured.
    pub groups: Vec<Group>,
}

/// Where, when and by which command something was measured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Provenance {
    /// Cores and model.
    pub machine: String,
    /// Load average before the run.
    pub load: String,
    /// Point in time, UTC.
    pub date: String,
    /// Commit of the checkout; `-dirty` if files differed from it.
    pub commit: String,
    /// The command.
    pub command: String,
    /// Versions of servers and tools.
    pub versions: Vec<String>,
}

/// Figures that belong together, below their configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// Heading.
    pub name: String,
    /// Configuration of the measurement.
    pub configuration: String,
    /// Tables, in order.
    pub tables: Vec<Table>,
    /// Remarks: what was not measured, and why.
    pub notes: Vec<String>,
    /// Plots beyond the bar charts that follow from the tables.
    pub plots: Vec<Plot>,
    /// Goals, and whether they were reached.
    pub goals: Vec<Goal>,
}

/// Rows of the same columns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Table {
    /// Names of the columns of values. Empty if each row has one value and no column needs a name.
    pub columns: Vec<String>,
    /// Rows.
    pub rows: Vec<Row>,
}

/// One figure, of one or several runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// What was measured. Leading blanks indent it below the row before.
    pub name: String,
    /// A value for each column; `None` where it is not a number.
    pub values: Vec<Option<f64>>,
    /// Unit of the values.
    pub unit: String,
}

/// A line plot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plot {
    /// Title.
    pub title: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Lines.
    pub series: Vec<Series>,
    /// Values of the vertical axis that are drawn as a dashed line, with their names.
    pub limits: Vec<(String, f64)>,
}

/// An axis of a plot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Axis {
    /// Name with its unit.
    pub name: String,
    /// Whether equal distances are equal ratios.
    pub logarithmic: bool,
}

/// A line of a plot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    /// Name.
    pub name: String,
    /// Points, ascending by their first coordinate.
    pub points: Vec<(f64, f64)>,
}

/// A goal and what was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Goal {
    /// What is to be reached.
    pub name: String,
    /// The bound.
    pub bound: Bound,
    /// What was measured; `None` where it is not a number.
    pub measured: Option<f64>,
    /// Unit of both.
    pub unit: String,
}

/// The bound of a goal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    /// The measured value must not be below this one.
    AtLeast(f64),
    /// The measured value must not be above this one.
    AtMost(f64),
}

impl Goal {
    /// Whether it is reached. A goal that was not measured is not.
    pub(crate) fn is_reached(&self) -> bool {
        match (self.bound, self.measured) {
            (_, None) => false,
            (Bound::AtLeast(bound), Some(value)) => value >= bound,
            (Bound::AtMost(bound), Some(value)) => value <= bound,
        }
    }
}

impl Record {
    /// The record with the parts of another one: a part of the same name is replaced.
    pub(crate) fn merged(mut self, other: Self) -> Self {
        for part in other.parts {
            match self.parts.iter_mut().find(|own| own.name == part.name) {
                Some(own) => *own = part,
                None => self.parts.push(part),
            }
        }
        self
    }
}

/// A value with the digits that make sense for its size.
pub(crate) fn digits(value: f64) -> usize {
    match value.abs() {
        0.0 => 0,
        size if size >= 100.0 => 0,
        size if size >= 0.1 => 2,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, seconds: f64) -> Part {
        Part {
            name: name.to_owned(),
            seconds,
            ..Part::default()
        }
    }

    #[test]
    fn a_later_record_replaces_parts_of_its_names() {
        let first = Record {
            parts: vec![part("http", 1.0), part("create", 2.0)],
        };
        let later = Record {
            parts: vec![part("create", 3.0), part("delay", 4.0)],
        };
        let merged = first.merged(later);
        let parts: Vec<_> = merged
            .parts
            .iter()
            .map(|part| (part.name.as_str(), part.seconds))
            .collect();
        assert_eq!(parts, [("http", 1.0), ("create", 3.0), ("delay", 4.0)]);
    }

    #[test]
    fn a_goal_without_a_measurement_is_not_reached() {
        let goal = |bound, measured| Goal {
            name: "rate".to_owned(),
            bound,
            measured,
            unit: "orders/s".to_owned(),
        };
        assert!(goal(Bound::AtLeast(2.0), Some(2.0)).is_reached());
        assert!(!goal(Bound::AtLeast(2.0), Some(1.9)).is_reached());
        assert!(goal(Bound::AtMost(2.0), Some(1.9)).is_reached());
        assert!(!goal(Bound::AtMost(2.0), Some(2.1)).is_reached());
        assert!(!goal(Bound::AtMost(2.0), None).is_reached());
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let mut record = Record {
            parts: vec![part("http", 1.5)],
        };
        record.parts[0].groups.push(Group {
            tables: vec![Table {
                columns: vec!["classic".to_owned()],
                rows: vec![Row {
                    name: "rate".to_owned(),
                    values: vec![Some(1.25), None],
                    unit: "1/s".to_owned(),
                }],
            }],
            goals: vec![Goal {
                name: "rate".to_owned(),
                bound: Bound::AtLeast(1.0),
                measured: None,
                unit: "1/s".to_owned(),
            }],
            ..Group::default()
        });
        let text = serde_json::to_string(&record).expect("JSON");
        let read: Record = serde_json::from_str(&text).expect("a record");
        assert_eq!(read, record);
    }
}
