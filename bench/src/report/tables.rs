//! Markdown tables.

use std::fmt::Write;

use super::{Bound, Goal, Part, Row, Table, digits};

/// A value as text; a dash where there is none. Groups of three digits are separated.
pub(super) fn value(value: Option<f64>) -> String {
    let Some(value) = value else {
        return "-".to_owned();
    };
    let text = format!("{:.*}", digits(value), value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{grouped}{point}{fraction}")
}

/// Text of a cell: what would end it is escaped.
pub(super) fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// A table of figures.
pub(super) fn table(table: &Table) -> String {
    let width = table.rows.iter().map(|row| row.values.len()).max();
    let columns = width.unwrap_or(0).max(table.columns.len());
    let mut text = String::from("| |");
    for column in 0..columns {
        let name = table.columns.get(column).map_or("", String::as_str);
        let _ = write!(text, " {} |", cell(name));
    }
    text += " |\n|---|";
    text += &"---:|".repeat(columns);
    text += "---|\n";
    for row in &table.rows {
        text += &figures(row, columns);
    }
    text
}

fn figures(row: &Row, columns: usize) -> String {
    // Markdown drops leading blanks.
    let name = row.name.trim_start();
    let indent = if name.len() < row.name.len() {
        "&nbsp;&nbsp;"
    } else {
        ""
    };
    let mut text = format!("| {indent}{} |", cell(name));
    for column in 0..columns {
        let one = match row.values.get(column) {
            Some(one) => value(*one),
            None => String::new(),
        };
        let _ = write!(text, " {one} |");
    }
    let _ = writeln!(text, " {} |", cell(&row.unit));
    text
}

/// The goals of a run.
pub(super) fn goals<'a>(goals: impl Iterator<Item = &'a Goal>) -> String {
    let mut text = String::from("| goal | bound | measured | unit | |\n|---|---:|---:|---|---|\n");
    for goal in goals {
        let bound = match goal.bound {
            Bound::AtLeast(bound) => format!(">= {}", value(Some(bound))),
            Bound::AtMost(bound) => format!("<= {}", value(Some(bound))),
        };
        let reached = if goal.is_reached() {
            "reached"
        } else {
            "**missed**"
        };
        let _ = writeln!(
            text,
            "| {} | {bound} | {} | {} | {reached} |",
            cell(&goal.name),
            value(goal.measured),
            cell(&goal.unit)
        );
    }
    text
}

/// The parts of a run and the time that each took.
pub(super) fn parts(parts: &[Part]) -> String {
    let mut text = String::from("| part | seconds | |\n|---|---:|---|\n");
    for part in parts {
        let error = part.error.as_deref().unwrap_or("");
        let seconds = value(Some(part.seconds.round()));
        let _ = writeln!(text, "| `{}` | {seconds} | {} |", part.name, cell(error));
    }
    let all: f64 = parts.iter().map(|part| part.seconds).sum();
    let _ = writeln!(text, "| all | {} | |", value(Some(all.round())));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_separated_thousands_and_few_digits() {
        let text = |number| value(Some(number));
        assert_eq!(text(1_234_567.8), "1,234,568");
        assert_eq!(text(-43_000.0), "-43,000");
        assert_eq!(text(999.4), "999");
        assert_eq!(text(12.345), "12.35");
        assert_eq!(text(0.0123), "0.0123");
        assert_eq!(text(0.0), "0");
        assert_eq!(value(None), "-");
    }

    #[test]
    fn rows_of_a_table_have_as_many_cells_as_the_widest() {
        let row = |name: &str, values: &[f64]| Row {
            name: name.to_owned(),
            values: values.iter().copied().map(Some).collect(),
            unit: "ms".to_owned(),
        };
        let text = table(&Table {
            columns: vec!["classic".to_owned(), "a|b".to_owned()],
            rows: vec![row("p50", &[1.0, 2.0]), row("  of one", &[3.0])],
        });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "| | classic | a\\|b | |",
                "|---|---:|---:|---|",
                "| p50 | 1.00 | 2.00 | ms |",
                "| &nbsp;&nbsp;of one | 3.00 |  | ms |",
            ]
        );
    }
}
