//! Prints figures below their configuration, and records them for the report.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::report::{Bound, Goal, Group, Plot, Row, Table, digits};

/// The groups of the current part.
static GROUPS: Mutex<Vec<Group>> = Mutex::new(Vec::new());

/// Begins a group of figures with its configuration.
pub(crate) fn group(name: &str, configuration: &str) {
    println!("\n{name}\n  ({configuration})");
    groups().push(Group {
        name: name.to_owned(),
        configuration: configuration.to_owned(),
        ..Group::default()
    });
}

/// Prints one figure.
pub(crate) fn figure(name: &str, value: f64, unit: &str) {
    let digits = digits(value);
    println!("  {name:<44} {value:>12.digits$} {unit}");
    record(|group| add(group, false, row(name, &[value], unit)));
}

/// Prints the names of the columns of [`compared`] figures.
pub(crate) fn heading(columns: &[&str]) {
    let names: Vec<String> = columns.iter().map(|name| format!(" {name:>12}")).collect();
    println!("  {:<44}{}", "", names.concat());
    record(|group| {
        group.tables.push(Table {
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            rows: Vec::new(),
        });
    });
}

/// Prints one figure of several runs, a column each. NaN stands for a run without this figure.
pub(crate) fn compared(name: &str, values: &[f64], unit: &str) {
    let column = |value: &f64| {
        let digits = digits(*value);
        if value.is_nan() {
            format!(" {:>12}", "-")
        } else {
            format!(" {value:>12.digits$}")
        }
    };
    let columns: Vec<String> = values.iter().map(column).collect();
    println!("  {name:<44}{} {unit}", columns.concat());
    record(|group| add(group, true, row(name, values, unit)));
}

/// Prints a remark on the group: what was not measured, and why.
pub(crate) fn note(text: &str) {
    println!("  {text}");
    record(|group| group.notes.push(text.to_owned()));
}

/// Prints a goal and whether it is reached.
pub(crate) fn goal(name: &str, measured: f64, bound: Bound, unit: &str) {
    let goal = Goal {
        name: name.to_owned(),
        bound,
        measured: Some(measured).filter(|value| value.is_finite()),
        unit: unit.to_owned(),
    };
    let (relation, limit) = match bound {
        Bound::AtLeast(limit) => ("at least", limit),
        Bound::AtMost(limit) => ("at most", limit),
    };
    let digits = digits(measured);
    let result = if goal.is_reached() {
        "reached"
    } else {
        "missed"
    };
    let name = format!("goal: {name}");
    println!("  {name:<44} {measured:>12.digits$} {unit}, {relation} {limit}: {result}");
    record(|group| group.goals.push(goal));
}

/// Records a line plot.
pub(crate) fn plot(plot: Plot) {
    record(|group| group.plots.push(plot));
}

/// Takes what was recorded since the last call.
pub(crate) fn take_groups() -> Vec<Group> {
    std::mem::take(&mut *groups())
}

fn groups() -> MutexGuard<'static, Vec<Group>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Changes the current group. Figures before the first group belong to one without a name.
fn record(change: impl FnOnce(&mut Group)) {
    let mut groups = groups();
    if groups.is_empty() {
        groups.push(Group::default());
    }
    if let Some(group) = groups.last_mut() {
        change(group);
    }
}

/// Adds a row to the last table with or without columns: single figures between compared ones are
/// a table of their own.
fn add(group: &mut Group, columns: bool, row: Row) {
    let fits = |table: &Table| table.columns.is_empty() != columns;
    let at = group.tables.iter().rposition(fits);
    match at.map(|at| &mut group.tables[at]) {
        Some(table) => table.rows.push(row),
        None => group.tables.push(Table {
            columns: Vec::new(),
            rows: vec![row],
        }),
    }
}

fn row(name: &str, values: &[f64], unit: &str) -> Row {
    let finite = |value: &f64| Some(*value).filter(|value| value.is_finite());
    Row {
        name: name.to_owned(),
        values: values.iter().map(finite).collect(),
        unit: unit.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_figures_between_compared_ones_are_a_table_of_their_own() {
        let mut group = Group::default();
        group.tables.push(Table {
            columns: vec!["ours".to_owned(), "theirs".to_owned()],
            rows: Vec::new(),
        });
        add(&mut group, true, row("rate", &[2.0, 1.0], "1/s"));
        add(&mut group, false, row("ratio", &[2.0], ""));
        add(&mut group, true, row("memory", &[1.0, f64::NAN], "bytes"));
        add(&mut group, false, row("difference", &[1.0], "1/s"));
        let names = |table: &Table| {
            let names = table.rows.iter().map(|row| row.name.clone());
            names.collect::<Vec<_>>()
        };
        let tables: Vec<_> = group.tables.iter().map(names).collect();
        assert_eq!(tables, [["rate", "memory"], ["ratio", "difference"]]);
        assert_eq!(group.tables[0].rows[1].values, [Some(1.0), None]);
    }
}
