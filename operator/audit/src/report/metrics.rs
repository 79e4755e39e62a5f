//! The report in Prometheus' text format, for the textfile collector of `node_exporter`.

use std::fmt::Write as _;

use super::Report;

/// One series of each metric for each check that ran.
pub(crate) fn metrics(report: &Report) -> String {
    let mut out = String::new();
    let env = &report.env;
    family(
        &mut out,
        "ticket_audit_discrepancies",
        "Discrepancies that the last audit found, by invariant (ticket-audit explain NUMBER).",
    );
    for check in &report.checks {
        let (number, name) = (check.invariant.number, check.invariant.name);
        let count = check.findings.len();
        let labels = format!("env=\"{env}\",number=\"{number}\",name=\"{name}\"");
        let _ = writeln!(out, "ticket_audit_discrepancies{{{labels}}} {count}");
    }
    let ended_ms = report.began_ms + report.took_ms;
    let whole = [
        (
            "ticket_audit_compared",
            "Items that the last audit compared.",
            report.checks.iter().map(|c| c.looked_at).sum::<usize>() as f64,
        ),
        (
            "ticket_audit_timestamp_seconds",
            "When the last audit ended, seconds since 1970.",
            ended_ms as f64 / 1e3,
        ),
        (
            "ticket_audit_duration_seconds",
            "How long the last audit took, the pause between its passes included.",
            report.took_ms as f64 / 1e3,
        ),
    ];
    for (name, help, value) in whole {
        family(&mut out, name, help);
        let _ = writeln!(out, "{name}{{env=\"{env}\"}} {value}");
    }
    out
}

fn family(out: &mut String, name: &str, help: &str) {
    // Writing to a String does not fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
}
