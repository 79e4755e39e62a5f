//! The report for programs: every check with every discrepancy. docs/reference/audit.md has the form.

use serde_json::{Value, json};

use super::Report;
use crate::check::Check;
use crate::finding::Finding;
use crate::invariant::Repair;

/// Raised when a field is removed or changes its meaning. New fields do not raise it.
const VERSION: u32 = 1;

/// The whole report as one line of JSON.
pub(crate) fn json(report: &Report) -> String {
    let checks: Vec<Value> = report.checks.iter().map(check).collect();
    json!({
        "version": VERSION,
        "env": report.env,
        "final": report.over,
        "passes": report.passes,
        "began_ms": report.began_ms,
        "took_ms": report.took_ms,
        "ok": report.is_clean(),
        "checks": checks,
    })
    .to_string()
}

fn check(check: &Check) -> Value {
    let invariant = check.invariant;
    let one = |finding: &Finding| {
        let mut value = json!(finding.subject);
        value["found"] = json!(finding.found);
        value["repair"] = json!(invariant.repair);
        if let Some(remedy) = finding.for_person {
            value["repair"] = json!(Repair::Person);
            value["remedy"] = json!(remedy);
        }
        value
    };
    json!({
        "number": invariant.number,
        "name": invariant.name,
        "about": invariant.about,
        "check": invariant.promise,
        "means": invariant.matters,
        "remedy": invariant.remedy,
        "looked_at": check.looked_at,
        "discrepancies": check.findings.iter().map(one).collect::<Vec<_>>(),
    })
}
