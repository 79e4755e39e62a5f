//! Prints the result as a table or as JSON.

use std::io::IsTerminal;

use crate::check::Check;

/// Maximum violations listed per check.
const LISTED: usize = 5;

/// Prints the table, then the first violations of each failed check.
pub(crate) fn table(checks: &[Check]) {
    let colour = std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let paint = |code: &str, text: &str| {
        if colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    };
    let width = checks.iter().map(|c| c.promise.len()).max().unwrap_or(0);
    println!(
        "{:<9}  {:<width$}  {:>9}  {:>6}",
        "ABOUT", "CHECK", "LOOKED AT", "WRONG"
    );
    for check in checks {
        let wrong = check.violations.len();
        let result = if wrong == 0 {
            paint("32", "ok")
        } else {
            paint("1;31", "FAILED")
        };
        println!(
            "{:<9}  {:<width$}  {:>9}  {wrong:>6}  {result}",
            check.about, check.promise, check.looked_at
        );
    }
    for check in checks.iter().filter(|c| !c.violations.is_empty()) {
        println!("\n{} ({}):", check.promise, check.violations.len());
        check
            .violations
            .iter()
            .take(LISTED)
            .for_each(|v| println!("  {v}"));
        if check.violations.len() > LISTED {
            println!(
                "  ... and {} more (all of them: --json)",
                check.violations.len() - LISTED
            );
        }
    }
}

/// Prints every check with every violation.
pub(crate) fn json(checks: &[Check]) {
    let one = |c: &Check| {
        serde_json::json!({ "about": c.about, "check": c.promise,
        "looked_at": c.looked_at, "violations": c.violations })
    };
    let ok = checks.iter().all(|c| c.violations.is_empty());
    println!(
        "{}",
        serde_json::json!({ "ok": ok, "checks": checks.iter().map(one).collect::<Vec<_>>() })
    );
}
