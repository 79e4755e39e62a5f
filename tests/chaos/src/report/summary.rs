//! The result on the terminal.

use std::path::Path;

use super::Report;

/// Prints violations, counts, and where the page is.
pub fn print(report: &Report, folder: &Path) {
    for check in &report.audit.checks {
        for violation in &check.violations {
            println!("  VIOLATION {}: {violation}", check.check);
        }
    }
    for order in &report.open {
        println!("  VIOLATION order {order} was accepted and has no final state");
    }
    for (answer, count) in &report.unexpected {
        println!("  unexpected answer ({count}): {answer}");
    }
    for (kind, [applied, missed]) in report.faults_by_kind() {
        println!("  {applied:4} applied, {missed} not: {kind}");
    }
    let page = folder.join("report.html");
    let result = if report.passed() { "passed" } else { "FAILED" };
    println!("  {} orders, {result}: {}", report.orders(), page.display());
}
