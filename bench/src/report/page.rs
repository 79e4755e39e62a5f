//! The page docs/benchmarks.md and its drawings.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::svg::{Bar, bars, lines};
use super::tables::{self, cell};
use super::{Group, Part, Provenance, Record, Row};

/// The text of the page around the figures.
const TEXT: &str = include_str!("page.md");
/// Folder of the drawings, beside the page.
pub(crate) const DRAWINGS: &str = "benchmarks";
/// A chart with more bars cannot be read.
const MAX_BARS: usize = 24;

/// A page in Markdown, with its drawings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// The text.
    pub markdown: String,
    /// Names of files below [`DRAWINGS`], and their contents.
    pub drawings: Vec<(String, String)>,
}

/// Renders a record.
pub(crate) fn page(record: &Record) -> Page {
    let mut drawings = Vec::new();
    let mut groups = String::new();
    for part in &record.parts {
        let _ = writeln!(groups, "## `bench {}`\n", part.name);
        if let Some(error) = &part.error {
            let _ = writeln!(groups, "This part ended early: {}\n", cell(error));
        }
        for group in &part.groups {
            groups += &section(part, group, &mut drawings);
        }
    }
    let all = || record.parts.iter().flat_map(|part| &part.groups);
    let goals = tables::goals(all().flat_map(|group| &group.goals));
    let markdown = TEXT
        .replace("{{provenance}}", provenance(&record.parts).trim_end())
        .replace("{{goals}}", goals.trim_end())
        .replace("{{parts}}", tables::parts(&record.parts).trim_end())
        .replace("{{groups}}", groups.trim_end());
    Page { markdown, drawings }
}

fn section(part: &Part, group: &Group, drawings: &mut Vec<(String, String)>) -> String {
    let mut text = format!("### {}\n\n", group.name);
    if !group.configuration.is_empty() {
        let _ = writeln!(text, "{}.\n", group.configuration);
    }
    for table in &group.tables {
        let _ = writeln!(text, "{}", tables::table(table));
    }
    for note in &group.notes {
        let _ = writeln!(text, "- {note}");
    }
    if !group.notes.is_empty() {
        text.push('\n');
    }
    let plots = group.plots.iter().map(|plot| (&*plot.title, lines(plot)));
    let charts = charts(group);
    let charts = charts
        .iter()
        .map(|(title, chart)| (&**title, bars(title, chart)));
    for (title, drawing) in plots.chain(charts) {
        let name = free_name(&format!("{} {title}", part.name), drawings);
        let _ = writeln!(text, "![{title}]({DRAWINGS}/{name})\n");
        drawings.push((name, drawing));
    }
    text
}

/// A bar chart for each unit of rates of which a group has at least two figures.
fn charts(group: &Group) -> Vec<(String, Vec<Bar>)> {
    let mut charts: Vec<(String, Vec<Bar>)> = Vec::new();
    for table in &group.tables {
        let rates = |row: &&Row| row.unit.ends_with("/s");
        for row in table.rows.iter().filter(rates) {
            let title = format!("{}: {}", group.name, row.unit);
            let at = charts.iter().position(|(known, _)| *known == title);
            let at = at.unwrap_or_else(|| {
                charts.push((title, Vec::new()));
                charts.len() - 1
            });
            charts[at].1.extend(row_bars(row, &table.columns));
        }
    }
    charts.retain(|(_, bars)| (2..=MAX_BARS).contains(&bars.len()));
    charts
}

fn row_bars<'a>(row: &'a Row, columns: &'a [String]) -> impl Iterator<Item = Bar> + 'a {
    let values = row.values.iter().enumerate();
    values.filter_map(move |(kind, value)| {
        let name = match columns.get(kind) {
            Some(column) => format!("{}, {column}", row.name.trim_start()),
            None => row.name.trim_start().to_owned(),
        };
        let value = (*value)?;
        Some(Bar { name, value, kind })
    })
}

/// A name of a file, from a title, that no drawing has yet.
fn free_name(title: &str, drawings: &[(String, String)]) -> String {
    let mut slug = String::new();
    for char in title.to_lowercase().chars() {
        if char.is_ascii_alphanumeric() {
            slug.push(char);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    let taken = |name: &String| drawings.iter().any(|(known, _)| known == name);
    let mut name = format!("{slug}.svg");
    let mut number = 1;
    while taken(&name) {
        number += 1;
        name = format!("{slug}-{number}.svg");
    }
    name
}

/// Where, when and how the parts were measured: one row for all parts that agree.
fn provenance(parts: &[Part]) -> String {
    let mut text = String::from(
        "| parts | machine | load before | date | commit | command |\n|---|---|---|---|---|---|\n",
    );
    let mut rows: Vec<(&Provenance, Vec<&str>)> = Vec::new();
    for part in parts {
        match rows
            .iter_mut()
            .find(|(known, _)| **known == part.provenance)
        {
            Some((_, names)) => names.push(&part.name),
            None => rows.push((&part.provenance, vec![&part.name])),
        }
    }
    for (from, names) in rows {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | `{}` | `{}` |",
            names.join(", "),
            cell(&from.machine),
            cell(&from.load),
            cell(&from.date),
            cell(&from.commit),
            cell(&from.command)
        );
    }
    let versions: BTreeSet<&String> = parts
        .iter()
        .flat_map(|part| &part.provenance.versions)
        .collect();
    if !versions.is_empty() {
        let versions: Vec<&str> = versions.into_iter().map(String::as_str).collect();
        let _ = writeln!(text, "\nVersions: {}.", versions.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Bound, Goal, Plot, Series, Table};

    fn row(name: &str, values: &[f64], unit: &str) -> Row {
        Row {
            name: name.to_owned(),
            values: values.iter().copied().map(Some).collect(),
            unit: unit.to_owned(),
        }
    }

    fn record() -> Record {
        let group = Group {
            name: "Accepted orders".to_owned(),
            configuration: "24 clients".to_owned(),
            tables: vec![Table {
                columns: vec!["classic".to_owned(), "concurrent".to_owned()],
                rows: vec![
                    row("accepted", &[340.0, 970.0], "orders/s"),
                    row("p50", &[52.0, 21.0], "ms"),
                ],
            }],
            notes: vec!["one remark".to_owned()],
            plots: vec![Plot {
                title: "Latency".to_owned(),
                series: vec![Series {
                    name: "p50".to_owned(),
                    points: vec![(1.0, 2.0)],
                }],
                ..Plot::default()
            }],
            goals: vec![Goal {
                name: "accepted".to_owned(),
                bound: Bound::AtLeast(2_000.0),
                measured: Some(970.0),
                unit: "orders/s".to_owned(),
            }],
        };
        let part = |name: &str, groups| Part {
            name: name.to_owned(),
            seconds: 61.0,
            groups,
            ..Part::default()
        };
        Record {
            parts: vec![part("http", vec![group]), part("create", Vec::new())],
        }
    }

    #[test]
    fn the_page_has_every_figure_goal_and_drawing() {
        let page = page(&record());
        for text in [
            "| accepted | 340 | 970 | orders/s |",
            "| accepted | >= 2,000 | 970 | orders/s | **missed** |",
            "- one remark",
            "| http, create |",
            "| all | 122 | |",
        ] {
            assert!(page.markdown.contains(text), "{text}\n{}", page.markdown);
        }
        let names: Vec<_> = page.drawings.iter().map(|(name, _)| &**name).collect();
        let expected = ["http-latency.svg", "http-accepted-orders-orders-s.svg"];
        assert_eq!(names, expected);
        for name in names {
            assert!(page.markdown.contains(&format!("({DRAWINGS}/{name})")));
        }
        assert!(!page.markdown.contains("{{"), "a placeholder is left");
    }

    #[test]
    fn only_rates_become_bars_with_a_bar_for_each_column() {
        let charts = charts(&record().parts[0].groups[0]);
        assert_eq!(charts.len(), 1);
        let names: Vec<_> = charts[0].1.iter().map(|bar| &*bar.name).collect();
        assert_eq!(names, ["accepted, classic", "accepted, concurrent"]);
    }

    #[test]
    fn drawings_of_one_title_have_different_names() {
        let first = free_name("http p99, 50 ms", &[]);
        assert_eq!(first, "http-p99-50-ms.svg");
        let second = free_name("http p99, 50 ms", &[(first, String::new())]);
        assert_eq!(second, "http-p99-50-ms-2.svg");
    }
}
