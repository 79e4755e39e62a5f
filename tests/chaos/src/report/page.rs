//! The page.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Report;
use super::timeline;

/// Violations of one check that are listed; the client log has the rest.
const LISTED: usize = 20;

/// Writes the page.
pub fn write(report: &Report, file: &Path) -> Result<()> {
    let page = page(report);
    fs::write(file, page).with_context(|| format!("cannot write {}", file.display()))
}

fn page(report: &Report) -> String {
    let result = if report.passed() { "passed" } else { "failed" };
    let parts = [
        ("@seed@", report.seed.to_string()),
        ("@result@", result.to_owned()),
        ("@command@", escape(&report.command)),
        ("@figures@", figures(report)),
        (
            "@timeline@",
            timeline::draw(&report.answers, &report.faults),
        ),
        ("@checks@", checks(report)),
        ("@states@", states(report)),
        ("@received@", received(report)),
        ("@kinds@", kinds(report)),
        ("@count@", report.faults.len().to_string()),
        ("@faults@", faults(report)),
        ("@unexpected@", unexpected(report)),
    ];
    let page = include_str!("page.html").to_owned();
    parts
        .iter()
        .fold(page, |page, (place, text)| page.replace(place, text))
}

fn figures(report: &Report) -> String {
    let applied = report.faults.iter().filter(|fault| fault.result.is_ok());
    let settled = report.settled_after.map_or_else(
        || "never".to_owned(),
        |after| format!("{:.0} s", after.as_secs_f64()),
    );
    let violations: usize = report
        .audit
        .checks
        .iter()
        .map(|check| check.violations.len())
        .sum();
    let violations = violations + report.open.len();
    let figures = [
        (report.orders().to_string(), "orders compared"),
        (applied.count().to_string(), "faults applied"),
        (violations.to_string(), "violations"),
        (
            format!("{:.0} s", report.duration.as_secs_f64()),
            "of arriving buyers",
        ),
        (settled, "until all was settled"),
    ];
    let figure = |(value, name)| format!("<div><b>{value}</b><span>{name}</span></div>");
    figures.into_iter().map(figure).collect()
}

fn checks(report: &Report) -> String {
    let mut rows = String::new();
    for check in &report.audit.checks {
        let (about, promise) = (escape(&check.about), escape(&check.check));
        let violations = &check.violations;
        rows += &check_row(&about, &promise, check.looked_at, violations);
    }
    let accepted = "every accepted order can be looked up in a final state";
    let looked_up = report.orders().cast_unsigned();
    rows += &check_row("orders", accepted, looked_up, &report.open);
    format!(
        "<table><tr><th>about</th><th>invariant</th><th class=\"number\">compared</th><th></th></tr>\
         {rows}</table>"
    )
}

fn check_row(about: &str, promise: &str, compared: u64, violations: &[String]) -> String {
    let (class, result) = match violations.len() {
        0 => ("ok", "holds".to_owned()),
        count => ("wrong", format!("{count} violations")),
    };
    let mut listed = String::new();
    for text in violations.iter().take(LISTED) {
        listed += "<div>";
        listed += &escape(text);
        listed += "</div>";
    }
    row(&[
        about,
        &format!("{promise}{listed}"),
        &number(compared),
        &format!("<span class=\"{class}\">{result}</span>"),
    ])
}

fn states(report: &Report) -> String {
    counted(report.states.iter().map(|(state, count)| (state, count)))
}

fn received(report: &Report) -> String {
    counted(report.received.iter())
}

/// A table of names and counts.
fn counted<N: Display, C: Display>(counts: impl Iterator<Item = (N, C)>) -> String {
    let line = |(name, count): (N, C)| row(&[&escape(&name.to_string()), &number(count)]);
    let rows: String = counts.map(line).collect();
    format!("<table>{rows}</table>")
}

fn kinds(report: &Report) -> String {
    let mut rows = String::new();
    for (kind, [applied, missed]) in report.faults_by_kind() {
        rows += &row(&[&escape(kind), &number(applied), &number(missed)]);
    }
    format!(
        "<table><tr><th>kind</th><th class=\"number\">applied</th>\
         <th class=\"number\">not applied</th></tr>{rows}</table>"
    )
}

fn faults(report: &Report) -> String {
    let begin = report.answers.span[0];
    let seconds = |time: u64| format!("{:.1} s", time.saturating_sub(begin) as f64 / 1000.0);
    let mut rows = String::new();
    for fault in &report.faults {
        let result = match &fault.result {
            Ok(result) => escape(result),
            Err(error) => format!("not applied: {}", escape(&format!("{error:#}"))),
        };
        let [from, to] = fault.span.map(seconds);
        rows += &row(&[&from, &to, &escape(&fault.kind.to_string()), &result]);
    }
    format!("<table><tr><th>begin</th><th>end</th><th>fault</th><th>result</th></tr>{rows}</table>")
}

fn unexpected(report: &Report) -> String {
    if report.unexpected.is_empty() {
        return String::new();
    }
    let table = counted(report.unexpected.iter());
    format!("<h2>Answers that clients do not expect</h2><div class=\"card\">{table}</div>")
}

/// A row of a table; its cells are HTML.
fn row(cells: &[&str]) -> String {
    let mut row = "<tr>".to_owned();
    for cell in cells {
        if cell.starts_with("<td") {
            row += cell;
        } else {
            row += "<td>";
            row += cell;
            row += "</td>";
        }
    }
    row + "</tr>"
}

/// A cell with a number.
fn number(number: impl Display) -> String {
    format!("<td class=\"number\">{number}</td>")
}

/// Text of an element or an attribute.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::checker::{Audit, Check};
    use crate::faults::Applied;
    use crate::kind::Kind;
    use crate::place::{Path, Server};
    use crate::report::Answers;

    fn report(violations: &[&str], open: &[&str]) -> Report {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let fault = |kind, result| Applied {
            kind,
            span: [1000, 2000],
            result,
        };
        Report {
            seed: 7,
            command: "chaos --seed 7".to_owned(),
            duration: Duration::from_secs(2),
            settled_after: None,
            faults: vec![
                fault(Kind::FlushGate, Ok("3 keys".to_owned())),
                fault(
                    Kind::Cut(Path::Hosts(Server::Kafka)),
                    Err(Arc::new(anyhow::anyhow!("no <link>"))),
                ),
            ],
            answers: Answers {
                span: [0, 2000],
                ..Answers::default()
            },
            states: vec![("paid".to_owned(), 2), ("closed".to_owned(), 1)],
            open: texts(open),
            unexpected: BTreeMap::new(),
            received: BTreeMap::new(),
            audit: Audit {
                ok: violations.is_empty(),
                checks: vec![Check {
                    about: "seats".to_owned(),
                    check: "no seat is sold twice".to_owned(),
                    looked_at: 3,
                    violations: texts(violations),
                }],
            },
        }
    }

    #[test]
    fn a_run_without_violations_has_passed() {
        let page = page(&report(&[], &[]));
        assert!(page.contains("Chaos, seed 7: passed"), "{page}");
        assert!(page.contains("<b>3</b><span>orders compared"), "{page}");
        assert!(page.contains("<b>1</b><span>faults applied"), "{page}");
        assert!(page.contains("not applied: no &lt;link&gt;"), "{page}");
    }

    #[test]
    fn a_violation_is_shown_and_fails_the_run() {
        let page_of = |violations: &[&str], open: &[&str]| page(&report(violations, open));
        let sold_twice = page_of(&["seat 1: orders 2 and 3"], &[]);
        assert!(sold_twice.contains("seed 7: failed"), "{sold_twice}");
        assert!(sold_twice.contains("seat 1: orders 2 and 3"));
        let never_final = page_of(&[], &["17"]);
        assert!(never_final.contains("seed 7: failed"), "{never_final}");
        assert!(never_final.contains("<div>17</div>"));
    }

    #[test]
    fn the_page_needs_no_network() {
        let page = page(&report(&[], &[]));
        // The name of SVG is no address that a browser loads.
        let page = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains("http"), "{page}");
        assert!(!page.contains("@seed@") && !page.contains("@timeline@"));
    }
}
