//! The table of docs/reference/conformance/sources.md is derived from the suite.

use usher::sources::KINDS;

use super::{Promise, SourceUnderTest as _, for_each_source};

/// A column: the source, and why a promise does not apply to it.
struct Column {
    kind: &'static str,
    name: &'static str,
    exempt: fn(Promise) -> Option<&'static str>,
}

fn columns() -> Vec<Column> {
    for_each_source!(S => Column { kind: S::KIND, name: S::NAME, exempt: S::exempt })
}

/// The table, and below it the reasons, each with a number.
fn table() -> Vec<String> {
    let columns = columns();
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let mut lines = vec![
        format!("| promise | {} |", names.join(" | ")),
        format!("|{}", "---|".repeat(columns.len() + 1)),
    ];
    let mut reasons: Vec<&str> = Vec::new();
    for promise in Promise::ALL.iter().copied() {
        let mut cell = |column: &Column| {
            let Some(reason) = (column.exempt)(promise) else {
                return "kept".to_owned();
            };
            let known = reasons.iter().position(|known| *known == reason);
            let at = known.unwrap_or_else(|| {
                reasons.push(reason);
                reasons.len() - 1
            });
            format!("({})", at + 1)
        };
        let cells: Vec<String> = columns.iter().map(&mut cell).collect();
        lines.push(format!("| {} | {} |", promise.text(), cells.join(" | ")));
    }
    lines.push(String::new());
    let numbered = (1..).zip(reasons);
    lines.extend(numbered.map(|(number, reason)| format!("{number}. {reason}")));
    lines
}

#[test]
fn the_page_shows_what_each_source_keeps() {
    let page = include_str!("../../../../docs/reference/conformance/sources.md");
    let (_, shown) = page
        .split_once("\n| promise |")
        .expect("the page has the table");
    let expected = table().join("\n");
    let shown = format!("| promise |{shown}");
    assert!(
        shown.trim_end() == expected,
        "docs/reference/conformance/sources.md differs from the suite. It has to end with\n\n\
         {expected}\n"
    );
}

#[test]
fn every_kind_of_source_is_in_the_suite() {
    let columns = columns();
    for kind in KINDS {
        assert!(
            columns.iter().any(|column| column.kind == kind.name()),
            "no source of the suite is of the kind {}: add one to for_each_source",
            kind.name()
        );
    }
}
