//! The report of `ticket-audit --json`: its discrepancies become targets. Pure.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use shared::message::{CategoryNo, Nonce, OrderNumber, ProgramId, UserId};

use crate::plan::{Refused, Target};

/// The version of the report's form.
const VERSION: u32 = 1;

/// What is to be compared, and what the report leaves to others.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub targets: Vec<Target>,
    pub refused: Vec<Refused>,
}

#[derive(Debug, Deserialize)]
struct Report {
    version: u32,
    env: String,
    checks: Vec<Check>,
}

#[derive(Debug, Deserialize)]
struct Check {
    number: String,
    remedy: String,
    discrepancies: Vec<Discrepancy>,
}

#[derive(Debug, Deserialize)]
struct Discrepancy {
    program: Option<ProgramId>,
    category: Option<u16>,
    chunk: Option<u32>,
    order: Option<OrderNumber>,
    nonce: Option<Nonce>,
    user: Option<UserId>,
    found: String,
    repair: Repair,
    /// If it is not that of the check.
    remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Repair {
    Mend,
    System,
    Person,
}

/// Reads a report of the environment.
pub(crate) fn request(text: &str, env: &str) -> Result<Request> {
    let report: Report =
        strict_json::from_str(text).context("this is no report of ticket-audit")?;
    let version = report.version;
    ensure!(
        version == VERSION,
        "the report has version {version}, this program reads version {VERSION}"
    );
    ensure!(
        report.env == env,
        "the report is of environment {:?}, not of {env:?}",
        report.env
    );
    let mut request = Request::default();
    for check in report.checks {
        for discrepancy in check.discrepancies {
            let number = check.number.as_str();
            match discrepancy.repair {
                Repair::Mend => request.targets.push(target(number, &discrepancy)?),
                Repair::System => {}
                Repair::Person => request.refused.push(Refused {
                    number: check.number.clone(),
                    found: discrepancy.found,
                    why: discrepancy.remedy.unwrap_or_else(|| check.remedy.clone()),
                }),
            }
        }
    }
    Ok(request)
}

fn target(number: &str, found: &Discrepancy) -> Result<Target> {
    let Discrepancy {
        program,
        category,
        chunk,
        order,
        nonce,
        ref user,
        ..
    } = *found;
    let category = category.map(CategoryNo::new).transpose()?;
    match (number, program, order) {
        ("S4" | "S8", Some(program), _) if category.is_some() => {
            category.map(|category| Target::Chunk {
                program,
                category,
                chunk,
            })
        }
        ("S5" | "L3", Some(program), Some(order)) => nonce.map(|nonce| Target::Holder {
            program,
            order,
            nonce,
        }),
        ("S6" | "L4", _, Some(order)) => Some(Target::Order(order)),
        ("S7", Some(program), Some(order)) => user.clone().map(|user| Target::Tickets {
            program,
            user,
            order,
        }),
        _ => bail!(
            "check {number} ({}) has no repair in this program",
            found.found
        ),
    }
    .with_context(|| format!("check {number} ({}) names no subject", found.found))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5";

    fn report(number: &str, discrepancy: &str) -> String {
        format!(
            r#"{{"version":1,"env":"demo","ok":false,"checks":[{{"number":"{number}",
            "name":"x","remedy":"Decide.","looked_at":3,"discrepancies":[{discrepancy}]}}]}}"#
        )
    }

    #[test]
    fn each_repairable_check_names_what_is_compared() {
        let subject = format!(
            r#"{{"program":"7","category":0,"chunk":2,"seat":3,"order":"105","nonce":"{NONCE}",
            "user":"ann","found":"x","repair":"mend"}}"#
        );
        for number in ["S4", "S5", "S6", "S7", "S8", "L3", "L4"] {
            let request = request(&report(number, &subject), "demo").expect(number);
            assert_eq!((request.targets.len(), request.refused.len()), (1, 0));
        }
        assert!(request(&report("S1", &subject), "demo").is_err());
    }

    #[test]
    fn what_needs_a_person_is_refused_with_its_remedy() {
        let found = r#"{"order":"105","found":"paid twice","repair":"person"}"#;
        let request = request(&report("M1", found), "demo").expect("a report");
        assert!(request.targets.is_empty());
        assert_eq!(request.refused[0].why, "Decide.");
    }

    #[test]
    fn another_report_is_no_report() {
        let empty = r#"{"version":1,"env":"demo","checks":[]}"#;
        assert!(request(empty, "demo").is_ok());
        assert!(request(empty, "other").is_err());
        assert!(request(&empty.replace("\"version\":1", "\"version\":2"), "demo").is_err());
        assert!(request("[]", "demo").is_err());
    }
}
