//! The report for a reader: a table, then the discrepancies of each failed check.

use std::fmt::Write as _;

use super::Report;
use crate::check::Check;

/// Maximum discrepancies listed per check.
const LISTED: usize = 5;

/// The table, then the first discrepancies of each failed check with their meaning and remedy.
/// `colour`: for a terminal.
pub(crate) fn text(report: &Report, colour: bool) -> String {
    let mut out = String::new();
    table(&mut out, report, colour);
    for check in report.checks.iter().filter(|c| !c.findings.is_empty()) {
        discrepancies(&mut out, check);
    }
    out
}

fn table(out: &mut String, report: &Report, colour: bool) {
    let paint = |code: &str, text: &str| {
        if colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    };
    let checks = report.checks.iter();
    let width = checks.map(|c| c.invariant.promise.len()).max();
    let width = width.unwrap_or(0);
    line(
        out,
        format_args!(
            "{:<3} {:<width$}  {:>9}  {:>6}",
            "NO.", "CHECK", "LOOKED AT", "WRONG"
        ),
    );
    for check in &report.checks {
        let wrong = check.findings.len();
        let result = if wrong == 0 {
            paint("32", "ok")
        } else {
            paint("1;31", "FAILED")
        };
        line(
            out,
            format_args!(
                "{:<3} {:<width$}  {:>9}  {wrong:>6}  {result}",
                check.invariant.number, check.invariant.promise, check.looked_at
            ),
        );
    }
}

fn discrepancies(out: &mut String, check: &Check) {
    let invariant = check.invariant;
    let (number, count) = (invariant.number, check.findings.len());
    line(
        out,
        format_args!("\n{number} {} ({count}):", invariant.promise),
    );
    for finding in check.findings.iter().take(LISTED) {
        line(out, format_args!("  {}", finding.found));
        if let Some(remedy) = finding.for_person {
            line(out, format_args!("    a person decides: {remedy}"));
        }
    }
    if count > LISTED {
        let more = count - LISTED;
        line(
            out,
            format_args!("  ... and {more} more (all of them: --json)"),
        );
    }
    line(out, format_args!("  Means: {}", invariant.matters));
    let by = invariant.repair.text();
    line(out, format_args!("  Do:    {by}. {}", invariant.remedy));
    line(out, format_args!("  More:  ticket-audit explain {number}"));
}

fn line(out: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = writeln!(out, "{line}");
}
