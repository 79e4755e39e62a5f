//! Tests of the report's forms.

use serde_json::Value;

use super::{Report, explain, json, metrics, text};
use crate::check::Check;
use crate::finding::program;
use crate::invariant;

fn report() -> Report {
    let held = program("7").seat(3).order("105").nonce("ab");
    let found = held.found("program 7 seat 3: held by order 105 (not in Postgres)".to_owned());
    let check = |invariant, findings| Check {
        invariant,
        looked_at: 4,
        findings,
    };
    Report {
        env: "demo".to_owned(),
        over: false,
        passes: 2,
        began_ms: 1_800_000_000_000,
        took_ms: 1_500,
        checks: vec![
            check(invariant::SOLD_ONCE, vec![]),
            check(
                invariant::HELD,
                vec![found.clone(), found.for_person("Restore the row.")],
            ),
        ],
    }
}

#[test]
fn json_names_subject_and_repair_of_each_discrepancy() {
    let value: Value = serde_json::from_str(&json(&report())).expect("JSON");
    assert_eq!(
        (&value["ok"], &value["version"]),
        (&false.into(), &1.into())
    );
    let check = &value["checks"][1];
    assert_eq!(
        (&check["number"], &check["looked_at"]),
        (&"S5".into(), &4.into())
    );
    let found = &check["discrepancies"];
    let order = &found[0]["order"];
    assert_eq!((&found[0]["seat"], order), (&3.into(), &"105".into()));
    assert_eq!(found[0]["repair"], "mend");
    assert_eq!(found[1]["repair"], "person");
    assert_eq!(found[1]["remedy"], "Restore the row.");
    assert_eq!(
        found[0].get("payment"),
        None,
        "what does not apply is absent"
    );
}

#[test]
fn metrics_have_a_series_for_each_check() {
    let text = metrics(&report());
    for line in [
        "ticket_audit_discrepancies{env=\"demo\",number=\"S1\",name=\"seat_sold_once\"} 0",
        "ticket_audit_discrepancies{env=\"demo\",number=\"S5\",name=\"seat_held_by_live_order\"} 2",
        "ticket_audit_compared{env=\"demo\"} 8",
        "ticket_audit_timestamp_seconds{env=\"demo\"} 1800000001.5",
        "ticket_audit_duration_seconds{env=\"demo\"} 1.5",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn text_says_what_a_discrepancy_means_and_who_acts() {
    let text = text(&report(), false);
    for part in [
        "S5 every held seat has a live order (2):",
        "held by order 105 (not in Postgres)",
        "a person decides: Restore the row.",
        "Means: The seat is not on sale",
        "Do:    ticket-mend repairs it.",
        "More:  ticket-audit explain S5",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn every_invariant_is_explained() {
    for invariant in invariant::all() {
        let text = explain(invariant);
        assert!(text.starts_with(invariant.number) && text.contains("Repair:"));
    }
}
